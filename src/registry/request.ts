import { CodedError } from "../errors.ts";
import { seconds, type TimeLimit } from "../http/deadline.ts";
import type { Readable } from "node:stream";
import type { Traffic } from "./channel.ts";
import { isPassing, requestName } from "./errors.ts";
import { pacedBody, type PaceLimits } from "./pace.ts";
import type { Headers, HttpResponse, Method } from "./http-message.ts";

/** A request to the repository. */
export interface RegistryRequest {
  readonly method: Method;
  /** Below `/v2/<repository>/`, or the URL that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Headers;
  readonly body?: () => Readable | Uint8Array;
  readonly needs: "pull" | "push" | "delete";
  /** Repository that a blob is mounted from. */
  readonly mountFrom?: string;
  readonly traffic?: Traffic;
  /**
   * Statuses that are an answer; any other is an error. `settled`: whatever is not about the moment, for questions whose
   * refusal is answer enough.
   */
  readonly accept: readonly number[] | "settled";
  /** False for requests whose repetition is the caller's business. */
  readonly retry?: boolean;
}

/** Whether a status is what the request was made for. */
export function isAnswer(accept: RegistryRequest["accept"], status: number): boolean {
  return accept === "settled" ? status >= 500 || !isPassing(status) : accept.includes(status);
}

/** How long it may take depends on its size. */
export const isUpload = ({ traffic, body }: RegistryRequest): boolean => traffic === "bulk" && body !== undefined;

/** How long an answer may take; RegistryTimeout where it takes longer. @param name of the request, for the message */
export const answerWithin = (name: string, ms: number): TimeLimit => ({
  ms,
  late: () =>
    new CodedError(
      "RegistryTimeout",
      `${name}: no answer in ${seconds(ms)}; the registry hangs, or timeout is too short`,
    ),
});

/** The rest of an answer that does not come in time is cut off. */
export function cutLate({ body }: HttpResponse, ms: number): void {
  const timer = setTimeout(() => body.destroy(), ms);
  body.once("close", () => clearTimeout(timer));
}

/** The body, held to the least rate where it is content. */
export function bodyOf(request: RegistryRequest, url: URL, pace: PaceLimits): RegistryRequest["body"] {
  const { body, headers, method } = request;
  if (!body || !isUpload(request)) return body;
  const sending = { name: requestName(method, url), bytes: Number(headers?.["content-length"] ?? 0) };
  return () => {
    const content = body();
    return content instanceof Uint8Array ? content : pacedBody(content, pace, sending);
  };
}
