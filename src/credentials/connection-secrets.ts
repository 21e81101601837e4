import { createPrivateKey, type X509Certificate } from "node:crypto";
import { parseCertificates } from "./certificates.ts";
import { readSecret, type SecretData, secretInvalid, type SecretSource, textOf } from "./secret-data.ts";

/** PEM; `ca` is trusted besides the system's roots, `cert` and `key` are the client certificate. */
export interface TlsSecret {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface ProxySecret {
  readonly address: string;
  readonly username?: string;
  readonly password?: string;
}

const maxAddressLength = 2048;

/**
 * Reads the Secret of `certSecretRef`, of type Opaque or kubernetes.io/tls, with `ca.crt` and/or `tls.crt` and
 * `tls.key`; the older names caFile, certFile and keyFile are read as by Flux. What is unusable is refused here, where
 * the Secret can still be named, and not by the handshake.
 *
 * @throws SecretNotFound, SecretInvalid
 */
export async function readTlsSecret(source: SecretSource, name: string, signal: AbortSignal): Promise<TlsSecret> {
  const secret = await readSecret(source, name, "certSecretRef", signal);
  const pem = (key: string, older: string): string | undefined => textOf(secret, key) ?? textOf(secret, older);
  const [ca, cert, key] = [pem("ca.crt", "caFile"), pem("tls.crt", "certFile"), pem("tls.key", "keyFile")];
  if ((cert === undefined) !== (key === undefined)) {
    throw secretInvalid(secret, cert === undefined ? "has tls.key but no tls.crt" : "has tls.crt but no tls.key");
  }
  if (ca === undefined && cert === undefined) throw secretInvalid(secret, "has neither ca.crt nor tls.crt and tls.key");
  if (ca !== undefined) certificatesOf(secret, "ca.crt", ca);
  if (cert !== undefined && key !== undefined) assertPair(secret, cert, key);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) };
}

/**
 * Reads the Secret of `proxySecretRef`: `address`, and `username` and `password` where the proxy asks for them.
 *
 * @throws SecretNotFound, SecretInvalid
 */
export async function readProxySecret(source: SecretSource, name: string, signal: AbortSignal): Promise<ProxySecret> {
  const secret = await readSecret(source, name, "proxySecretRef", signal);
  const address = proxyAddress(secret);
  const username = textOf(secret, "username");
  const password = textOf(secret, "password");
  if (username === undefined && password !== undefined) throw secretInvalid(secret, "has a password but no username");
  return { address, ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

/** The address may hold a password, so no message repeats it. */
function proxyAddress(secret: SecretData): string {
  const address = textOf(secret, "address");
  if (address === undefined)
    throw secretInvalid(secret, "has no address; write the proxy's URL, such as http://proxy.example:3128");
  const { protocol = "" } = address.length <= maxAddressLength && URL.canParse(address) ? new URL(address) : {};
  if (protocol === "socks5:")
    throw secretInvalid(secret, "address is a SOCKS proxy, which is not supported; write an http:// or https:// proxy");
  if (protocol !== "http:" && protocol !== "https:")
    throw secretInvalid(secret, "address is not an http:// or https:// URL");
  return address;
}

function assertPair(secret: SecretData, cert: string, key: string): void {
  const [leaf] = certificatesOf(secret, "tls.crt", cert);
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch {
    // OpenSSL's message is not the cause: it is about bytes of a private key.
    throw secretInvalid(secret, "tls.key is not an unencrypted private key in PEM");
  }
  if (!matches) throw secretInvalid(secret, `tls.key does not belong to tls.crt (${subjectOf(leaf)})`);
  if (leaf.validToDate.getTime() < Date.now()) {
    throw secretInvalid(secret, `tls.crt (${subjectOf(leaf)}) expired on ${leaf.validToDate.toISOString()}`);
  }
}

function certificatesOf(secret: SecretData, key: string, pem: string): [X509Certificate, ...X509Certificate[]] {
  return parseCertificates(pem, (problem, cause) => secretInvalid(secret, `${key} ${problem}`, cause));
}

const subjectOf = (certificate: X509Certificate): string => certificate.subject.replaceAll("\n", ", ");
