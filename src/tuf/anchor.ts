import { readFile } from "node:fs/promises";
import { CodedError, messageOf } from "../errors.ts";
import { objectOf, parseJsonObject } from "../text/json.ts";

/** The `root.json` in a file that a flag names. @throws InvalidSpec where it cannot be read, or is another document */
export async function readAnchor(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (objectOf(parseJsonObject(bytes)["signed"])["_type"] !== "root") throw new Error("is not a root.json of TUF");
    return bytes;
  } catch (cause) {
    throw new CodedError("InvalidSpec", `--sigstore-tuf-root ${path} cannot be used: ${messageOf(cause)}`, { cause });
  }
}
