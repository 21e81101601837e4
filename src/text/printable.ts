/**
 * Text from a registry as it may stand in a message: on one line, without control and direction characters, at most
 * `max` characters.
 */
export function printable(text: string, max = 120): string {
  const clean = text.slice(0, max + 1).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, "�");
  return clean.length > max ? `${clean.slice(0, max)}…` : clean;
}

/** Whether a value can be written into a suggestion as it is. */
export function isQuotable(text: string): boolean {
  return text !== "" && printable(text, 256) === text;
}
