import { EventLoopTurns } from "../event-loop-turns.ts";

/** How many tags are judged between two looks at the clock. */
const sliceTags = 32;

/** Judges every tag of a list, and lets other work have its turn in between. @throws what the listing throws; Aborted */
export async function forEachTag(
  pages: AsyncIterable<readonly string[]>,
  judge: (tag: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const turns = new EventLoopTurns(signal);
  for await (const page of pages) {
    for (let from = 0; from < page.length; from += sliceTags) {
      for (const tag of page.slice(from, from + sliceTags)) judge(tag);
      await turns.next();
    }
  }
}
