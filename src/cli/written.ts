import { hasErrno, CodedError, messageOf } from "../errors.ts";
import { writeFile } from "node:fs/promises";
import type { CommandIO } from "./command.ts";
import { plain } from "./terminal.ts";
import { fold } from "../text/fit.ts";

export interface Writing {
  readonly text: string;
  /** A file; `-` or undefined: standard output. */
  readonly path: string | undefined;
  /** `w` replaces what is there, `wx` refuses to. */
  readonly flag: "w" | "wx";
  /** What comes next: a line each, for a file alone. */
  readonly next: readonly string[];
}

/** Writes what a command has made, and says on stderr where it is and what comes next. @throws StorageFailed */
export async function writeMade({ text, path, flag, next }: Writing, io: CommandIO): Promise<void> {
  if (path === undefined || path === "-") {
    io.stdout.write(text);
    return;
  }
  try {
    await writeFile(path, text, { flag });
  } catch (error) {
    const advice = hasErrno(error, "EEXIST")
      ? "it is there already; name another file, or remove it"
      : messageOf(error);
    throw new CodedError("StorageFailed", `${path} cannot be written: ${advice}`, { cause: error });
  }
  const lines = [`wrote ${plain(path)}`, ...next.map((line) => fold(plain(line), io.err.columns))];
  io.stderr.write(`${lines.join("\n")}\n`);
}

/** A path as a shell takes it, in a line to copy. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
