/**
 * The one way in which text of strangers is shown to people: on terminals, in conditions, events, notifications and logs.
 * What has no picture of its own (controls, colours, direction, zero width, half a surrogate pair, line separators) is written
 * as an escape, such as `\u{1b}`, and nothing is without end.
 */
const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** The same but for the end of a line. */
const invisibleInBlock = /[^\P{C}\n]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const escape = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** A stranger's value in a message: one line of at most `max` characters. */
export function printable(text: string, max = 120): string {
  const clean = text.slice(0, max + 1).replace(invisible, escape);
  return clean.length > max ? `${withoutHalf(clean.slice(0, max))}…` : clean;
}

/** Half an escape or half a surrogate pair at the end is left out. */
function withoutHalf(text: string): string {
  return text.replace(/\\u\{[0-9a-f]*$|[\ud800-\udbff]$/, "");
}

/** Whether a value can be written into a suggestion as it is. */
export function isQuotable(text: string): boolean {
  return text !== "" && printable(text, 256) === text;
}

/** A text of several lines as one sentence: what a server says about a failure. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** No value that is worth reading has so many characters without a space; of a longer one its ends are shown. */
const maxWord = 1024;

/**
 * A whole message: its lines are kept, and it takes at most `maxBytes` of UTF-8. What is too long is cut in the middle, since a
 * message begins with what happened and ends with what to do.
 */
export function message(text: string, maxBytes: number): string {
  const words = text.replace(/\S+/g, (word) => (word.length <= maxWord ? word : cutMiddle(word, maxWord / 4)));
  return cutMiddle(words.replace(invisibleInBlock, escape), maxBytes);
}

const mark = " […] ";

/** At most `maxBytes` of UTF-8: three quarters of the beginning and a quarter of the end, with a mark between them. */
export function cutMiddle(text: string, maxBytes: number): string {
  if (text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes) return text;
  const room = maxBytes - Buffer.byteLength(mark);
  const tail = Buffer.from(text.slice(-maxBytes)).subarray(-Math.floor(room / 4));
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(room - tail.length));
  // A character that was cut is left out.
  const end = tail.findIndex((byte) => (byte & 0xc0) !== 0x80);
  return text.slice(0, read) + mark + tail.subarray(end).toString("utf8");
}

/** JSON that is the same to a program, and that a terminal only shows. @param text what JSON.stringify has made */
export function visibleJson(text: string): string {
  return text.replace(invisibleInBlock, (characters) =>
    characters
      .split("")
      .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
