import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Prints the end of every log in a folder. */
export async function printLogs(logs: string): Promise<void> {
  for (const name of await readdir(logs)) {
    const log = await readFile(join(logs, name), "utf8");
    process.stderr.write(`--- the end of ${name}\n${log.slice(-3000)}\n`);
  }
}
