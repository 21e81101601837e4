import { createHmac, randomBytes } from "node:crypto";

declare const proved: unique symbol;

/** A name for an access that was proved. Equal keys are shown the same; the key says nothing to anybody else. */
export type AccessKey = string & { readonly [proved]: true };

/** Keys mean nothing outside of this process. */
const salt = randomBytes(32);

/**
 * The key of an access. @param parts everything that decides what the other side shows: address, credentials, certificates,
 * proxy. Whatever is left out is shared by those who differ in it.
 */
export function accessKey(parts: Readonly<Record<string, unknown>>): AccessKey {
  return createHmac("sha256", salt).update(JSON.stringify(parts)).digest("base64") as AccessKey;
}

/** What one object has proved, for as long as it holds. */
export interface ProvedAccess {
  readonly key: AccessKey;
  /** False once other credentials were used than those in the key: what came with them belongs to nobody else. */
  holds(): boolean;
}
