import { createHash, createPublicKey } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { LoggedSigner } from "./rekor.ts";
import type { TestSigstore } from "./sigstore.ts";

/** The services of a private Sigstore over HTTP, as far as `cosign sign` asks them. */
export interface SigstoreServer {
  readonly url: string;
  /** What was asked for: `POST /api/v2/log/entries`. */
  readonly requests: readonly string[];
  /** `signing_config.json` that names the services. */
  signingConfig(services?: { readonly isLogged?: boolean }): string;
  close(): Promise<void>;
}

/**
 * @param now what the timestamp authority takes for the time; certificates are valid for ten minutes around it
 * @param subject of every certificate, whatever the token says
 */
export async function serveSigstore(
  sigstore: TestSigstore,
  { now, subject }: { readonly now: () => Date; readonly subject: string },
): Promise<SigstoreServer> {
  const requests: string[] = [];
  const answers: Readonly<Record<string, (body: Buffer) => Buffer | object>> = {
    "POST /api/v1/timestamp": (body) => stamp(sigstore, body, now()),
    "POST /api/v2/log/entries": (body) => log(sigstore, JSON.parse(body.toString("utf8")) as LogRequest),
    "POST /api/v2/signingCert": (body) =>
      certify(sigstore, JSON.parse(body.toString("utf8")) as CertificateRequest, { time: now(), subject }),
  };
  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    requests.push(asked);
    void read(request).then((body) => {
      const answer = answers[asked]?.(body);
      if (answer === undefined) return response.writeHead(404).end();
      const isBytes = Buffer.isBuffer(answer);
      // As the real ones: Fulcio says 200, the others 201.
      response.writeHead(asked.endsWith("/signingCert") ? 200 : 201, {
        "content-type": isBytes ? "application/timestamp-reply" : "application/json",
      });
      return response.end(isBytes ? answer : JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    signingConfig: ({ isLogged = true } = {}) => signingConfig(url, isLogged),
    close: async () => await new Promise((resolve) => server.close(() => resolve())),
  };
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function signingConfig(url: string, isLogged: boolean): string {
  const service = { validFor: { start: "2020-01-01T00:00:00Z" }, operator: "sigstore.test" };
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    caUrls: [{ url, majorApiVersion: 1, ...service }],
    oidcUrls: [{ url, majorApiVersion: 1, ...service }],
    ...(isLogged && {
      rekorTlogUrls: [{ url, majorApiVersion: 2, ...service }],
      rekorTlogConfig: { selector: "ANY" },
    }),
    tsaUrls: [{ url: `${url}/api/v1/timestamp`, majorApiVersion: 1, ...service }],
    tsaConfig: { selector: "ANY" },
  });
}

/** RFC 3161, section 2.4.1: version, the hash with its algorithm, then perhaps a policy, a nonce and a wish for certificates. */
function stamp({ tsa }: TestSigstore, request: Buffer, time: Date): Buffer {
  const [, imprint, ...rest] = elements(request.subarray(contentAt(request)));
  const [, digest] = elements(imprint!.subarray(contentAt(imprint!)));
  const nonce = rest.find(([tag]) => tag === 0x02);
  return tsa.stampDigest(digest!.subarray(contentAt(digest!)), time, nonce === undefined ? {} : { nonce });
}

interface LoggedVerifier {
  readonly x509Certificate?: { readonly rawBytes: string };
  readonly publicKey?: { readonly rawBytes: string };
}

interface LogRequest {
  readonly hashedRekordRequestV002?: {
    readonly digest: string;
    readonly signature: { readonly content: string; readonly verifier: LoggedVerifier };
  };
  readonly dsseRequestV002?: {
    readonly envelope: { readonly payload: string; readonly signatures: readonly { readonly sig: string }[] };
    readonly verifiers: readonly LoggedVerifier[];
  };
}

const bytes = (base64: string): Buffer => Buffer.from(base64, "base64");

function log({ rekor2 }: TestSigstore, { hashedRekordRequestV002: hashed, dsseRequestV002: envelope }: LogRequest) {
  if (hashed !== undefined)
    return rekor2.entry({
      kind: "hashedrekord",
      digest: bytes(hashed.digest),
      signature: bytes(hashed.signature.content),
      signer: signerOf(hashed.signature.verifier),
    });
  const { payload, signatures } = envelope!.envelope;
  const digest = createHash("sha256").update(bytes(payload)).digest();
  const signer = signerOf(envelope!.verifiers[0]!);
  return rekor2.entry({ kind: "dsse", digest, signature: bytes(signatures[0]!.sig), signer });
}

function signerOf({ x509Certificate, publicKey }: LoggedVerifier): LoggedSigner {
  const raw = bytes((x509Certificate ?? publicKey)!.rawBytes);
  return x509Certificate === undefined ? { publicKey: raw } : { certificate: { raw } };
}

interface CertificateRequest {
  readonly publicKeyRequest: { readonly publicKey: { readonly content: string } };
}

function certify(
  sigstore: TestSigstore,
  { publicKeyRequest }: CertificateRequest,
  { time, subject }: { readonly time: Date; readonly subject: string },
) {
  const publicKey = createPublicKey(publicKeyRequest.publicKey.content);
  const { certificate } = sigstore.leaf({ subject, publicKey, notBefore: new Date(time.getTime() - 300_000) });
  const certificates = [certificate, sigstore.root.certificate].map(String);
  return { signedCertificateEmbeddedSct: { chain: { certificates } } };
}

/** How many bytes the tag and the length of a DER element take. */
function contentAt(element: Buffer): number {
  const first = element[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

/** The DER elements that stand one after another. */
function elements(content: Buffer): Buffer[] {
  if (content.length === 0) return [];
  const first = content[1] ?? 0;
  const length = first < 0x80 ? first : content.readUIntBE(2, first & 0x7f);
  const end = contentAt(content) + length;
  return [content.subarray(0, end), ...elements(content.subarray(end))];
}
