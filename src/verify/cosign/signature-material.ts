import type { Digest } from "../../oci/types.ts";

/** One signature as the registry holds it, before anything of it is believed. */
export interface SignatureMaterial {
  /** For messages: `bundle sha256:…`, `tag sha256-….sig, layer 0`. */
  readonly where: string;
  /** The manifest that holds it. */
  readonly manifest: Digest;
  /** The bytes that the signature is over. */
  readonly signed: Buffer;
  /** What the bytes state: the payload of an envelope, otherwise the same bytes. */
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** A Sigstore bundle (JSON) with the certificate and the log entries; undefined where a bare key signed. */
  readonly certificateBundle: unknown;
  /** A Sigstore bundle (JSON) with whatever log entries and timestamps came along; undefined where there are none. */
  readonly evidence: unknown;
}
