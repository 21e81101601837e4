/**
 * A number with its noun: `1 tag`, `3 tags`, `0 manifests`.
 * @param plural where it is not the noun with an s
 */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
