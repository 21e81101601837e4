export interface Program {
  readonly name: string;
  /** The first line, after `#!`. */
  readonly interpreter: string;
  /** Relative to the entry. */
  readonly module: string;
}

/** As package.json has it under `engines`. */
export const leastNode = 24;

/**
 * The file that is started. It is all that an older Node reads: that one would stop at the first line of the program that it
 * does not understand and print it, some kilobytes long. So the check is in words that every Node knows, before anything is
 * loaded.
 */
export function entryOf({ name, interpreter, module }: Program): string {
  return `#!${interpreter}
if (parseInt(process.versions.node, 10) < ${leastNode}) {
  process.stderr.write("${name} needs Node.js ${leastNode} or newer, and this is " + process.version + ": install it, or put it first on the PATH\\n");
  process.exit(1);
}
import("${module}");
`;
}
