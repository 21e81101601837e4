import { Readable } from "node:stream";

/**
 * A stream of what a generator makes. Unlike with Readable.from, destroying it takes effect at once even while the
 * generator waits for its source: `close` lets go of that source, which ends the wait.
 */
export function pullStream(chunks: AsyncGenerator<Buffer>, highWaterMark: number, close: () => void): Readable {
  const stream = new Readable({
    highWaterMark,
    read: () => {
      chunks.next().then(
        ({ done, value }) => stream.push(done ? null : value),
        (error: unknown) => stream.destroy(error as Error),
      );
    },
    destroy: (error, callback) => {
      close();
      void end(chunks);
      callback(error);
    },
  });
  return stream;
}

/** Runs the generator's own clean-up; that its source has gone is no news by then. */
async function end(chunks: AsyncGenerator<Buffer>): Promise<void> {
  await chunks.return(undefined).catch(() => undefined);
}
