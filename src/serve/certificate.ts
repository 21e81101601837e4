import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CodedError, messageOf } from "../errors.ts";
import type { Certificate } from "./listen.ts";

/**
 * The certificate in a directory that a flag names, as a mounted Secret of type kubernetes.io/tls has it. It is read again when a connection opens
 * after it has changed; one that cannot be read does not take the place of the last good one.
 * @throws InvalidSpec where there is none to begin with
 */
export function certificateIn(directory: string, flag: string): () => Certificate {
  const paths = { cert: join(directory, "tls.crt"), key: join(directory, "tls.key") };
  const read = (): { readonly certificate: Certificate; readonly version: string } => ({
    certificate: { cert: readFileSync(paths.cert), key: readFileSync(paths.key) },
    version: versionOf(paths),
  });
  let current: ReturnType<typeof read>;
  try {
    current = read();
  } catch (error) {
    throw new CodedError(
      "InvalidSpec",
      `--${flag}=${directory}: ${messageOf(error)}; mount a Secret with tls.crt and tls.key there`,
      { cause: error },
    );
  }
  return () => {
    try {
      if (versionOf(paths) !== current.version) current = read();
    } catch {
      // A Secret that is being rotated is there again in a moment.
    }
    return current.certificate;
  };
}

function versionOf({ cert, key }: { readonly cert: string; readonly key: string }): string {
  return [cert, key].map((path) => `${statSync(path).mtimeMs}/${statSync(path).ino}`).join(" ");
}
