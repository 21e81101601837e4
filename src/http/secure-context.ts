import { X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { CodedError, messageOf, type ErrorCode } from "../errors.ts";
import { trustSystemRoots } from "./system-roots.ts";

/** PEM: whom to trust, and a client certificate with its key. */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Whose material it is, for errors. */
export interface TlsPurpose {
  readonly code: ErrorCode;
  /** `the TLS material cannot be used` */
  readonly unusable: string;
  /** `a client certificate needs both tls.crt and tls.key` */
  readonly incomplete: string;
  /** Whether `ca` is trusted besides the system's roots, or instead of them. */
  readonly withSystemRoots: boolean;
}

/**
 * One context for all connections with the same material: parsing it for each would cost more than the handshake. Undefined
 * where there is none.
 *
 * @throws what `purpose.code` says, for material that is incomplete or cannot be read
 */
export function secureContextOf({ ca, cert, key }: TlsMaterial, purpose: TlsPurpose): SecureContext | undefined {
  if ((ca ?? cert ?? key) === undefined) return undefined;
  const { code, unusable, incomplete, withSystemRoots } = purpose;
  if ((cert === undefined) !== (key === undefined))
    throw new CodedError(code, `${incomplete}; only one of them was given`);
  try {
    if (ca !== undefined) checkAuthorities(ca);
    const trusted = withSystemRoots ? besideSystemRoots(ca) : ca;
    return createSecureContext({
      ...(trusted !== undefined && { ca: trusted }),
      ...(cert !== undefined && { cert, key }),
    });
  } catch (error) {
    throw new CodedError(code, `${unusable}: ${messageOf(error)}`, { cause: error });
  }
}

function besideSystemRoots(ca: string | undefined): string[] | undefined {
  trustSystemRoots();
  return ca === undefined ? undefined : [...getCACertificates("default"), ca];
}

/** createSecureContext passes over what it cannot read, and would leave nobody to trust. */
function checkAuthorities(pem: string): void {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0) throw new Error("the certificate authority holds no certificate");
  certificates.forEach((certificate) => new X509Certificate(certificate));
}
