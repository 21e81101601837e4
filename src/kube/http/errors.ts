import { CodedError, type ErrorCode, messageOf } from "../../errors.ts";
import { abortError } from "../../http/abort.ts";
import { causeCode, statusOf, isUntrusted, rootCause } from "../../http/failures.ts";
import { oneLine, printable } from "../../text/printable.ts";
import { parseJsonObject } from "../../text/json.ts";

/** An answer that is not a success: the status, the first bytes of the body, and for how long to stay away. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs?: number | undefined;
}

/** metav1.Status as far as it is read. */
interface Status {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly name?: unknown; readonly retryAfterSeconds?: unknown } | null;
}

/** Nobody waits longer for an API server. */
export const maxRetryAfterMs = 300_000;

const byStatus: Readonly<Record<number, ErrorCode>> = {
  401: "AccessDenied",
  403: "AccessDenied",
  408: "KubeUnreachable",
  409: "KubeConflict",
  410: "KubeConflict",
  429: "KubeUnreachable",
};

/**
 * The error for an answer of the API server. A 404 that names no object is about the kind: paths that are not served are
 * answered with plain text, or with a Status without a name.
 */
export function statusError(call: string, { status, body, retryAfterMs }: Refusal): CodedError {
  const parsed = parseStatus(body);
  const reason = typeof parsed.reason === "string" ? parsed.reason : "";
  const said = typeof parsed.message === "string" ? parsed.message : body.trimStart().startsWith("<") ? "" : body;
  const seconds = parsed.details?.retryAfterSeconds;
  const waitMs =
    retryAfterMs ??
    (typeof seconds === "number" && seconds > 0 ? Math.min(seconds * 1000, maxRetryAfterMs) : undefined);
  const code = codeFor(status, parsed, said);
  const hint =
    code === "CrdMissing"
      ? " (the API server does not have this kind in this version; is its CustomResourceDefinition installed?)"
      : "";
  return new CodedError(code, `${call}: ${printable(oneLine(`${status} ${said.replace(/^404 /, "")}`), 500)}${hint}`, {
    details: { status, reason },
    ...(waitMs !== undefined && { retryAfterMs: waitMs }),
  });
}

/** The error for the object of an ERROR event in a watch. */
export function errorEvent(call: string, object: unknown): CodedError {
  const code = (object as Status | null)?.code;
  return statusError(call, { status: typeof code === "number" ? code : 500, body: JSON.stringify(object) });
}

function codeFor(status: number, { details }: Status, message: string): ErrorCode {
  if (status === 404) return typeof details?.name === "string" && details.name !== "" ? "NotFound" : "CrdMissing";
  // A webhook chooses the status of its refusal, and most choose 403.
  if (status === 403 && message.startsWith("admission webhook ")) return "KubeRejected";
  // A server-side apply of a field that the kind does not have; some versions answer with 500.
  if (message.includes("field not declared in schema")) return "KubeRejected";
  return byStatus[status] ?? (status >= 500 ? "KubeUnreachable" : "KubeRejected");
}

function parseStatus(body: string): Status {
  try {
    return parseJsonObject(body);
  } catch {
    return {};
  }
}

/** The error for a request that got no answer, or only a part of one. */
export function networkError(call: string, error: unknown, signal: AbortSignal): CodedError {
  if (signal.aborted) return givenUp(call, signal);
  if (error instanceof CodedError) return error;
  const cause = rootCause(error);
  const message = isUntrusted(causeCode(cause))
    ? "the API server's certificate is signed by another authority than the one that is configured"
    : printable(oneLine(messageOf(cause)), 300);
  return new CodedError("KubeUnreachable", `${call}: ${message}`, { cause });
}

/** The error for a call that `signal` has ended; KubeUnreachable where its time was over. */
export function givenUp(call: string, signal: AbortSignal): CodedError {
  return abortError(signal, {
    what: call,
    late: { code: "KubeUnreachable", message: `${call}: the API server did not answer in the time allowed` },
  });
}

/** Failures to connect: the server has not seen the request. */
const unsent = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
/** Connections that broke: the server may have done what was asked. */
const broken = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "UND_ERR_SOCKET"]);
const passing = new Set([502, 503, 504]);

/**
 * Whether the same request may be sent again at once. One that is not `repeatable` only where it never arrived, or where the
 * server itself says when to come back.
 */
export function mayRetry(error: unknown, repeatable: boolean): boolean {
  if (!(error instanceof CodedError) || error.code !== "KubeUnreachable") return false;
  if (error.retryAfterMs !== undefined || statusOf(error) === 429) return true;
  if (unsent.has(causeCode(error.cause))) return true;
  return repeatable && (passing.has(statusOf(error)) || broken.has(causeCode(error.cause)));
}
