import { constants, createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";

/** A DER element (ITU-T X.690). */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = Buffer.from(length.toString(16).padStart(length > 0xff ? (length > 0xffff ? 6 : 4) : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);

export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((value) => {
    const groups = [value & 0x7f];
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}

export const derUtf8 = (text: string): Buffer => der(0x0c, Buffer.from(text, "utf8"));

/** A short unsigned integer. */
export const derInteger = (value: number): Buffer => der(0x02, Buffer.from([value]));

export interface CertificateExtension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Buffer;
}

export type KeyUsage = "digitalSignature" | "contentCommitment" | "keyEncipherment" | "keyCertSign" | "cRLSign";
const usageBits: Readonly<Record<KeyUsage, number>> = {
  digitalSignature: 0x80,
  contentCommitment: 0x40,
  keyEncipherment: 0x20,
  keyCertSign: 0x04,
  cRLSign: 0x02,
};

export interface CertificateOptions {
  readonly subject?: Readonly<Record<string, string>>;
  /** Default: self-signed. */
  readonly issuer?: TestCertificate;
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** Below 128. */
  readonly serial?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly usage?: readonly KeyUsage[];
  readonly usageCritical?: boolean;
  /** Extended key usages by OID. */
  readonly purposes?: readonly string[];
  readonly purposesCritical?: boolean;
  readonly uri?: string;
  readonly extensions?: readonly CertificateExtension[];
  /** Adds to the extensions what depends on the rest of the certificate, such as an SCT. */
  readonly precertificate?: (tbs: Buffer, issuerKeyHash: Buffer) => CertificateExtension;
  /** Replaces the signature, given the good one. */
  readonly changeSignature?: (signature: Buffer) => Buffer;
}

export interface TestCertificate {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
  readonly subject: Readonly<Record<string, string>>;
}

const attributeOids: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  O: "2.5.4.10",
  OU: "2.5.4.11",
};
export const codeSigning = "1.3.6.1.5.5.7.3.3";
export const timeStamping = "1.3.6.1.5.5.7.3.8";
const defaultSubject = { C: "US", ST: "WA", O: "Notary", CN: "signer" };
const day = 86_400_000;

export const ecKeys = (curve = "P-256"): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("ec", { namedCurve: curve });

/** An X.509 certificate, signed with ECDSA, RSA or RSASSA-PSS and SHA-256. */
export function makeCertificate(options: CertificateOptions = {}): TestCertificate {
  const {
    subject = defaultSubject,
    keys = ecKeys(),
    issuer,
    precertificate,
    changeSignature = (same) => same,
  } = options;
  const signer = issuer?.privateKey ?? keys.privateKey;
  const algorithm = signatureAlgorithm(signer);
  const tbs = (extensions: readonly CertificateExtension[]): Buffer =>
    sequence(
      der(0xa0, derInteger(2)),
      derInteger(options.serial ?? 1 + Math.floor(Math.random() * 100)),
      algorithm,
      derName(issuer?.subject ?? subject),
      sequence(
        derValidity(options.notBefore ?? new Date(Date.now() - day)),
        derValidity(options.notAfter ?? new Date(Date.now() + 365 * day)),
      ),
      derName(subject),
      keys.publicKey.export({ type: "spki", format: "der" }),
      der(0xa3, sequence(...extensions.map(derExtension))),
    );
  const extensions = extensionsOf(options);
  const plain = tbs(extensions);
  const issuerKey = issuer?.certificate.publicKey ?? keys.publicKey;
  const hash = createHash("sha256")
    .update(issuerKey.export({ type: "spki", format: "der" }))
    .digest();
  // The serial number must be the same in both, so the extension is spliced in rather than built anew.
  const signed =
    precertificate === undefined ? plain : withExtensions(plain, [...extensions, precertificate(plain, hash)]);
  const signature = changeSignature(
    sign("sha256", signed, { key: signer, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  );
  const raw = sequence(signed, algorithm, der(0x03, Buffer.from([0]), signature));
  return { certificate: new X509Certificate(raw), privateKey: keys.privateKey, subject };
}

function withExtensions(tbs: Buffer, extensions: readonly CertificateExtension[]): Buffer {
  const start = tbs[1] === 0x82 ? 4 : tbs[1] === 0x81 ? 3 : 2;
  const at = lastElement(tbs, start);
  return sequence(tbs.subarray(start, at), der(0xa3, sequence(...extensions.map(derExtension))));
}

/** Where the last of the elements from `start` begins. */
function lastElement(bytes: Buffer, start: number): number {
  for (let at = start; ;) {
    const first = bytes[at + 1] ?? 0;
    const size = first < 0x80 ? 0 : first & 0x7f;
    const length = size === 0 ? first : bytes.readUIntBE(at + 2, size);
    const next = at + 2 + size + length;
    if (next >= bytes.length) return at;
    at = next;
  }
}

function extensionsOf(options: CertificateOptions): CertificateExtension[] {
  const {
    ca = false,
    pathLength,
    usage = ca ? ["keyCertSign"] : ["digitalSignature"],
    usageCritical = true,
    purposes,
    purposesCritical = false,
    uri,
    extensions = [],
  } = options;
  const constraints = [...when(ca || undefined, () => der(0x01, Buffer.from([0xff]))), ...when(pathLength, derInteger)];
  const bits = usage.reduce((sum, name) => sum | usageBits[name], 0);
  return [
    { oid: "2.5.29.19", critical: true, value: sequence(...constraints) },
    ...when(bits || undefined, () => ({
      oid: "2.5.29.15",
      critical: usageCritical,
      value: der(0x03, Buffer.from([0, bits])),
    })),
    ...when(purposes, (oids) => ({
      oid: "2.5.29.37",
      critical: purposesCritical,
      value: sequence(...oids.map(derOid)),
    })),
    ...when(uri, (text) => ({
      oid: "2.5.29.17",
      critical: true,
      value: sequence(der(0x86, Buffer.from(text, "utf8"))),
    })),
    ...extensions,
  ];
}

const when = <T, R>(value: T | undefined, make: (value: T) => R): R[] => (value === undefined ? [] : [make(value)]);

export function derExtension({ oid, critical = false, value }: CertificateExtension): Buffer {
  return sequence(derOid(oid), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
}

export function derName(name: Readonly<Record<string, string>>): Buffer {
  return sequence(
    ...Object.entries(name).map(([key, value]) =>
      der(0x31, sequence(derOid(attributeOids[key] ?? key), derUtf8(value))),
    ),
  );
}

/** GeneralizedTime. */
export function derTime(time: Date): Buffer {
  return der(0x18, Buffer.from(time.toISOString().replace(/[-:T]|\.\d+/g, ""), "ascii"));
}

/** RFC 5280, section 4.1.2.5: UTCTime until 2049. */
function derValidity(time: Date): Buffer {
  const [tag, ...content] = derTime(time);
  return time.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(content.slice(3)))
    : der(tag!, Buffer.from(content.slice(1)));
}

function signatureAlgorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "ec") return sequence(derOid("1.2.840.10045.4.3.2"));
  return key.asymmetricKeyType === "rsa-pss" ? pssAlgorithm : sequence(derOid("1.2.840.113549.1.1.11"), der(0x05));
}

/** RFC 4055: SHA-256 for both, and a salt as long as its digest. */
const sha256Algorithm = sequence(derOid("2.16.840.1.101.3.4.2.1"), der(0x05));
const pssAlgorithm = sequence(
  derOid("1.2.840.113549.1.1.10"),
  sequence(
    der(0xa0, sha256Algorithm),
    der(0xa1, sequence(derOid("1.2.840.113549.1.1.8"), sha256Algorithm)),
    der(0xa2, derInteger(32)),
  ),
);

/** Keys that sign with RSASSA-PSS alone. */
export const pssKeys = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("rsa-pss", { modulusLength: 2048, hashAlgorithm: "sha256", mgf1HashAlgorithm: "sha256" });
