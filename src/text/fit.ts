/** Characters that take two columns of a terminal, and such as take none. */
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uFF01-\uFF60\uFFE0-\uFFE6]/u;
const none = /\p{Mark}/u;
/** Most text is plain, and long lists are made of it. */
const plain = /^[\u0020-\u007E]*$/;

/** Columns of a terminal that a line takes. */
export function widthOf(line: string): number {
  if (plain.test(line)) return line.length;
  return Array.from(line).reduce((sum, character) => sum + columnsOf(character), 0);
}

const columnsOf = (character: string): number => (wide.test(character) ? 2 : none.test(character) ? 0 : 1);

/** The line, cut to so many columns with an ellipsis at its end. */
export function cutTo(line: string, columns: number | undefined): string {
  if (columns === undefined || widthOf(line) <= columns) return line;
  let width = 0;
  let cut = "";
  for (const character of line) {
    width += columnsOf(character);
    if (width > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** The line padded with blanks to so many columns. */
export function padTo(line: string, columns: number): string {
  return `${line}${" ".repeat(Math.max(0, columns - widthOf(line)))}`;
}

/**
 * Text folded between words to so many columns; what follows goes on below the text of its line: below the second column of a
 * table, else at the same indentation. A word that is too long stays whole, so that it can be copied.
 */
export function fold(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  return text
    .split("\n")
    .map((line) => foldLine(line, columns))
    .join("\n");
}

function foldLine(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  const start = startOf(line, columns);
  const indent = " ".repeat(Math.min(start.length, Math.floor(columns / 2)));
  const lines: string[] = [];
  let current = start;
  let isEmpty = true;
  for (const word of line.slice(start.length).split(" ")) {
    const next = isEmpty ? current + word : `${current} ${word}`;
    if (isEmpty || widthOf(next) <= columns) current = next;
    else {
      lines.push(current);
      current = indent + word;
    }
    isEmpty = false;
  }
  return [...lines, current].map((part) => part.trimEnd()).join("\n");
}

/** What stands before the text of a line: the first columns of a table where they leave it half of the width, else blanks. */
function startOf(line: string, columns: number): string {
  const [, table = ""] = /^(\s*\S.*?\s{2,})\S/.exec(line) ?? [];
  const [blanks = ""] = /^\s*/.exec(line) ?? [];
  return table !== "" && table.length <= columns / 2 ? table : blanks;
}
