import type { ResourceType } from "../../../api/kinds.ts";
import type { Readable } from "node:stream";
import { CodedError } from "../../errors.ts";
import { causeCode } from "../../http/failures.ts";
import type { KubeObject, WatchEvent } from "../client.ts";
import { errorEvent, networkError } from "./errors.ts";
import { parseJson } from "./exchange.ts";
import { received } from "./objects.ts";

export interface WatchBody {
  /** For messages. */
  readonly call: string;
  readonly type: ResourceType;
  readonly metadataOnly: boolean;
  readonly maxLineBytes: number;
  readonly body: Readable;
}

/** The events of a watch's body: one JSON document a line. A body in which nothing came for too long ends without an error. */
export async function* watchEvents<T extends KubeObject>(
  watch: WatchBody,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { call, body, maxLineBytes } = watch;
  try {
    for await (const line of lines(call, body, maxLineBytes)) {
      const event = toEvent<T>(watch, parseJson(call, line));
      if (event !== undefined) yield event;
    }
  } catch (error) {
    // Bookmarks come every minute or two, so the connection is dead; or the server sends none, and a new watch is as good.
    if (causeCode(error) === "UND_ERR_BODY_TIMEOUT") return;
    throw networkError(call, error, signal);
  } finally {
    body.destroy();
  }
}

const types: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]);

function toEvent<T extends KubeObject>(
  { call, type, metadataOnly }: WatchBody,
  line: unknown,
): WatchEvent<T> | undefined {
  const { type: event, object } = (line ?? {}) as { type?: unknown; object?: unknown };
  if (event === "ERROR") throw errorEvent(call, object);
  if (!types.has(event)) return undefined;
  return { type: event as WatchEvent<T>["type"], object: received(call, type, object, metadataOnly) as T };
}

/** @throws KubeUnreachable for a line longer than `maxBytes` */
async function* lines(call: string, body: Readable, maxBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer): void => {
    size += part.length;
    if (size > maxBytes) throw new CodedError("KubeUnreachable", `${call}: an event is larger than ${maxBytes} bytes`);
    if (part.length > 0) parts.push(part);
  };
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      add(chunk.subarray(start, end));
      if (size > 0) yield parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      [parts, size, start] = [[], 0, end + 1];
    }
    add(chunk.subarray(start));
  }
}
