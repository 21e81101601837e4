import { createHash, sign } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { factsOf } from "../../verify/notation/certificate-facts.ts";
import { readElements, childrenOf, type Element } from "../../verify/notation/der.ts";
import {
  type CertificateExtension,
  der,
  derExtension,
  derInteger,
  derOid,
  derTime,
  sequence,
  type TestCertificate,
} from "./certificates.ts";

const hour = 3_600_000;
const ecdsa = sequence(derOid("1.2.840.10045.4.3.2"));
const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer => der(0xa0 | number, ...parts);

export interface Revocation {
  readonly at: Date;
  /** Number of a CRLReason. */
  readonly reason?: number;
  readonly invalidity?: Date;
}

/** What answers of both kinds may have otherwise than a good one has. */
interface AnswerOptions {
  /** Default: the issuer of what is asked about. */
  readonly signer?: TestCertificate;
  readonly from?: Date;
  /** Null leaves it out. */
  readonly to?: Date | null;
  readonly extensions?: readonly CertificateExtension[];
  readonly changeSignature?: (signature: Buffer) => Buffer;
}

export interface OcspOptions extends AnswerOptions {
  readonly status?: "good" | "unknown" | Revocation;
  /** Certificates that come along. */
  readonly certificates?: readonly TestCertificate[];
  /** Of the whole answer: 0 is success. */
  readonly code?: number;
  /** About whom it speaks, if not about whom it was asked. */
  readonly about?: { readonly certificate: TestCertificate; readonly issuer: TestCertificate };
  readonly hash?: { readonly oid: string; readonly name: string };
}

const sha1 = { oid: "1.3.14.3.2.26", name: "sha1" };

/** An OCSP response (RFC 6960, 4.2.1) about a certificate, signed with ECDSA and SHA-256. */
export function ocspResponse(certificate: TestCertificate, issuer: TestCertificate, options: OcspOptions = {}): Buffer {
  if (options.code !== undefined && options.code !== 0) return sequence(der(0x0a, Buffer.from([options.code])));
  const { signer = issuer, certificates = [], about = { certificate, issuer }, changeSignature = same } = options;
  const data = sequence(
    explicit(2, der(0x04, createHash("sha1").update(factsOf(signer.certificate).publicKey).digest())),
    derTime(new Date()),
    sequence(singleResponse(about, options)),
  );
  const signature = changeSignature(sign("sha256", data, signer.privateKey));
  const basic = sequence(
    data,
    ecdsa,
    der(0x03, Buffer.from([0]), signature),
    ...(certificates.length === 0
      ? []
      : [explicit(0, sequence(...certificates.map((found) => found.certificate.raw)))]),
  );
  return sequence(der(0x0a, Buffer.from([0])), explicit(0, sequence(derOid("1.3.6.1.5.5.7.48.1.1"), der(0x04, basic))));
}

const same = (bytes: Buffer): Buffer => bytes;

/** Two hours around now, where nothing else is said. */
function spanOf({ from = new Date(Date.now() - hour), to = new Date(Date.now() + hour) }: AnswerOptions): {
  readonly from: Date;
  readonly to: Date | null;
} {
  return { from, to };
}

function singleResponse(
  { certificate, issuer }: { readonly certificate: TestCertificate; readonly issuer: TestCertificate },
  options: OcspOptions,
): Buffer {
  const { status = "good", extensions = [], hash = sha1 } = options;
  const { from, to } = spanOf(options);
  const facts = factsOf(issuer.certificate);
  const digest = (bytes: Uint8Array): Buffer => der(0x04, createHash(hash.name).update(bytes).digest());
  const id = sequence(
    sequence(derOid(hash.oid), der(0x05)),
    digest(sequence(facts.subject)),
    digest(facts.publicKey),
    der(0x02, factsOf(certificate.certificate).serial),
  );
  const invalidity = typeof status === "object" && status.invalidity !== undefined ? [status.invalidity] : [];
  const all = [...invalidity.map((time) => ({ oid: "2.5.29.24", value: derTime(time) })), ...extensions];
  return sequence(
    id,
    statusOf(status),
    derTime(from),
    ...(to === null ? [] : [explicit(0, derTime(to))]),
    ...(all.length === 0 ? [] : [explicit(1, sequence(...all.map(derExtension)))]),
  );
}

function statusOf(status: "good" | "unknown" | Revocation): Buffer {
  if (status === "good") return der(0x80);
  if (status === "unknown") return der(0x82);
  const { at, reason } = status;
  const said = reason === undefined ? [] : [explicit(0, der(0x0a, Buffer.from([reason])))];
  return der(0xa1, derTime(at), ...said);
}

export interface ListOptions extends AnswerOptions {
  readonly number?: number;
  /** DER of the entries instead of those of `revoked`. */
  readonly entries?: readonly Uint8Array[];
}

/** A list of revoked certificates (RFC 5280, 5.1), signed with ECDSA and SHA-256. */
export function revocationList(
  issuer: TestCertificate,
  revoked: readonly (Revocation & { readonly certificate: TestCertificate })[],
  options: ListOptions = {},
): Buffer {
  const { signer = issuer, entries = revoked.map(listEntry), changeSignature = same } = options;
  const { number = 1, extensions = [] } = options;
  const { from, to } = spanOf(options);
  const data = sequence(
    derInteger(1),
    ecdsa,
    sequence(factsOf(issuer.certificate).subject),
    derTime(from),
    ...(to === null ? [] : [derTime(to)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, sequence(...[{ oid: "2.5.29.20", value: derInteger(number) }, ...extensions].map(derExtension))),
  );
  return sequence(data, ecdsa, der(0x03, Buffer.from([0]), changeSignature(sign("sha256", data, signer.privateKey))));
}

function listEntry({ certificate, at, reason, invalidity }: Revocation & { certificate: TestCertificate }): Buffer {
  const extensions = [
    ...(reason === undefined ? [] : [{ oid: "2.5.29.21", value: der(0x0a, Buffer.from([reason])) }]),
    ...(invalidity === undefined ? [] : [{ oid: "2.5.29.24", value: derTime(invalidity) }]),
  ];
  const serial = der(0x02, factsOf(certificate.certificate).serial);
  const said = extensions.length === 0 ? [] : [sequence(...extensions.map(derExtension))];
  return sequence(serial, derTime(at), ...said);
}

/** The extension that names OCSP responders. */
export function ocspServers(...urls: readonly string[]): CertificateExtension {
  const each = urls.map((url) => sequence(derOid("1.3.6.1.5.5.7.48.1"), der(0x86, Buffer.from(url))));
  return { oid: "1.3.6.1.5.5.7.1.1", value: sequence(...each) };
}

/** The extension that names lists, one point for each; or the delta lists of `freshestCRL`. */
export function listPoints(points: readonly (readonly string[])[], oid = "2.5.29.31"): CertificateExtension {
  const each = points.map((urls) => sequence(explicit(0, names(urls))));
  return { oid, value: sequence(...each) };
}

/** A DistributionPointName. */
export const names = (urls: readonly string[]): Buffer =>
  explicit(0, ...urls.map((url) => der(0x86, Buffer.from(url))));

export interface AskedFor {
  readonly method: string;
  readonly path: string;
  /** Of a request to an OCSP responder: the number of the certificate. */
  readonly serial: Buffer | undefined;
}

type Answer = (response: ServerResponse, asked: AskedFor) => void;

/** Says whatever a test wants it to, by the first part of the path. */
export class RevocationServer {
  /** Everything that it was asked. */
  readonly asked: AskedFor[] = [];
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<RevocationServer> {
    const server = createServer();
    const made = new RevocationServer(server);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => made.#reply(request.method ?? "", request.url ?? "", Buffer.concat(chunks), response));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  /** `http://127.0.0.1:…/name` */
  url(name: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${name}`;
  }

  answer(name: string, answer: Answer | Uint8Array): void {
    this.#answers.set(name, answer instanceof Uint8Array ? (response) => void response.end(answer) : answer);
  }

  #reply(method: string, path: string, body: Buffer, response: ServerResponse): void {
    const [, name = "", question] = path.split("/");
    const request = body.length > 0 ? body : Buffer.from(decodeURIComponent(question ?? ""), "base64");
    const asked = { method, path: `/${name}`, serial: request.length === 0 ? undefined : serialIn(request) };
    this.asked.push(asked);
    const answer = this.#answers.get(name);
    if (answer !== undefined) return answer(response, asked);
    response.statusCode = 404;
    response.end();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** OCSPRequest (RFC 6960, 4.1.1): the last part of the CertID. */
function serialIn(request: Buffer): Buffer | undefined {
  let element: Element | undefined = readElements(request)[0];
  for (let depth = 0; depth < 4; depth++) element = childrenOf(element)[0];
  return childrenOf(element)[3]?.content;
}
