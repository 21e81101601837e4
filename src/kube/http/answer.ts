import type { Dispatcher } from "undici";

/** An answer and its body. */
export interface Answer {
  readonly status: number;
  /** The header Retry-After. */
  readonly retryAfter: string | string[] | undefined;
  /** The header Date. */
  readonly date: string | string[] | undefined;
  readonly body: Buffer;
  /** False where the body is longer than what was to be read, or where that of an error broke off. */
  readonly isWhole: boolean;
}

interface Reading {
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Sends a request and collects its answer. Most are some KiB, for which a stream would cost more CPU than the rest of the request.
 *
 * @throws whatever undici fails with, the signal's reason
 */
export async function collectAnswer(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { maxBytes, signal }: Reading,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const chunks: Buffer[] = [];
  let [size, status] = [0, 0];
  let [retryAfter, date]: (string | string[] | undefined)[] = [];
  let running: Dispatcher.DispatchController | undefined;
  const stop = (): void => {
    reject(signal.reason as Error);
    running?.abort(signal.reason as Error);
  };
  const answer = (isWhole: boolean): void =>
    resolve({ status, retryAfter, date, isWhole, body: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) });
  signal.addEventListener("abort", stop, { once: true });
  dispatcher.dispatch(request, {
    onRequestStart: (controller) => {
      running = controller;
      // It was given up while it waited for a connection.
      if (signal.aborted) stop();
    },
    onResponseStart: (_, code, headers) => {
      [status, retryAfter, date] = [code, headers["retry-after"], headers["date"]];
    },
    onResponseData: (controller, chunk) => {
      size += chunk.length;
      if (size <= maxBytes) return void chunks.push(chunk);
      answer(false);
      controller.abort(new Error("the answer is too large"));
    },
    onResponseEnd: () => answer(true),
    // The status of an error has said enough.
    onResponseError: (_, error) => (status >= 300 ? answer(false) : reject(error)),
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
