import { readFile } from "node:fs/promises";
import { CodedError, messageOf } from "../errors.ts";

/** The `root.json` in a file that a flag names. @throws InvalidSpec where it cannot be read */
export async function readAnchor(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CodedError("InvalidSpec", `--sigstore-tuf-root ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
