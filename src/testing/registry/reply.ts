import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { type Readable, Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { memoryContent, type Content } from "./store.ts";

/** A request as the routes see it. */
export interface Request {
  readonly method: string;
  readonly url: URL;
  /** `http://127.0.0.1:1234`, as the client reached this server. */
  readonly origin: string;
  readonly headers: IncomingHttpHeaders;
  /** The whole body, or what had arrived of it when the connection broke. */
  read(): Promise<{ bytes: Buffer; complete: boolean }>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly content?: Content;
  /** Part of `content` to send; default: all. */
  readonly range?: readonly [start: number, end: number];
  /** Told of every part of the body as it goes out. */
  readonly onSent?: (bytes: number) => void;
}

export function json(status: number, value: unknown, headers: Reply["headers"] = {}): Reply {
  const bytes = Buffer.from(JSON.stringify(value));
  return { status, headers: { "content-type": "application/json", ...headers }, content: memoryContent(bytes) };
}

/** distribution-spec, "Error Codes". */
export function errorReply(status: number, code: string, message: string): Reply {
  return json(status, { errors: [{ code, message }] });
}

export const empty = (status: number, headers: Reply["headers"] = {}): Reply => ({
  status,
  headers: { "content-length": "0", ...headers },
});

/** Writes `reply`, spoiled by `fault`. */
export async function send(response: ServerResponse, method: string, reply: Reply, fault: Fault = {}): Promise<void> {
  if (fault.delayMs) await delay(fault.delayMs);
  if (fault.reset) {
    response.socket?.destroy();
    return;
  }
  const { status, headers, content, range } = spoil(reply, fault);
  response.statusCode = status;
  if (!content) {
    setHeaders(response, { ...headers, ...fault.headers });
    response.end();
    return;
  }
  const [start, end] = range ?? [0, content.size];
  setHeaders(response, { "content-length": String(end - start), ...headers, ...fault.headers });
  response.flushHeaders();
  if (method === "HEAD") response.end();
  else sendBody(response, content.open(start, end), { ...fault, onSent: reply.onSent });
}

function setHeaders(response: ServerResponse, headers: Reply["headers"]): void {
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
}

function spoil(reply: Reply, fault: Fault): Reply {
  if (fault.status === undefined && fault.body === undefined) return reply;
  const body = Buffer.from(fault.body ?? "");
  return {
    status: fault.status ?? reply.status,
    headers: fault.status === undefined ? reply.headers : {},
    content: memoryContent(body),
  };
}

type Sending = Fault & Pick<Reply, "onSent">;

function sendBody(response: ServerResponse, body: Readable, fault: Sending): void {
  const drop = (): void => void response.socket?.destroy();
  if (fault.cutAfterBytes === 0) {
    setImmediate(drop);
    return;
  }
  body.on("error", drop);
  body.pipe(new Transform({ transform: spoilBytes(response, fault) })).pipe(response);
  response.on("close", () => body.destroy());
}

function spoilBytes(
  response: ServerResponse,
  fault: Sending,
): (chunk: Buffer, encoding: string, done: (error: null, chunk?: Buffer) => void) => void {
  const stop = Math.min(fault.cutAfterBytes ?? Infinity, fault.stallAfterBytes ?? Infinity);
  let sent = 0;
  return (chunk, _, done) => {
    const part = chunk.subarray(0, Math.max(0, stop - sent));
    const flip = (fault.corruptAt ?? -1) - sent;
    const bytes = flip >= 0 && flip < part.length ? corrupted(part, flip) : part;
    sent += part.length;
    fault.onSent?.(part.length);
    if (sent < stop) return done(null, bytes);
    if (fault.cutAfterBytes === undefined) return void response.write(bytes);
    response.write(bytes, () => setImmediate(() => response.socket?.destroy()));
  };
}

function corrupted(chunk: Buffer, at: number): Buffer {
  const copy = Buffer.from(chunk);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
