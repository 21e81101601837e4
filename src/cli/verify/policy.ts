import { readFile } from "node:fs/promises";
import { parseDuration } from "../../../api/v1beta1/duration.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { aged, cosignKeysPolicy, keylessPolicy, notationPolicy, ocmKeysPolicy } from "../../verify/policy.ts";
import { parsePublicKeys } from "../../verify/cosign/keys.ts";
import type { VerifyPolicy } from "../../verify/verifier.ts";
import { UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { rowsHelp } from "../flags/help.ts";

/** Flags that say whose signature counts. */
export const policyOptions = {
  key: {
    type: "string",
    multiple: true,
    takes: "FILE",
    help: "cosign: a public key (PEM); may be repeated, any of them may have signed",
  },
  issuer: {
    type: "string",
    takes: "RE",
    help: "cosign keyless: who vouches for the signer, as a regular expression (RE2) for the whole text",
    otherNames: ["certificate-oidc-issuer", "certificate-oidc-issuer-regexp"],
  },
  subject: {
    type: "string",
    takes: "RE",
    help: "and who signed, alike",
    otherNames: ["certificate-identity", "certificate-identity-regexp"],
  },
  "trusted-root": {
    type: "string",
    takes: "FILE",
    help: "cosign: trusted_root.json of a private Sigstore, instead of the public one",
  },
  "trust-policy": { type: "string", takes: "FILE", help: "notation: trustpolicy.json, with" },
  certificate: {
    type: "string",
    multiple: true,
    takes: "FILE",
    help: "certificates (PEM or DER) of its trust stores; may be repeated",
  },
  ocm: { type: "boolean", help: "the signatures in an OCM component descriptor, by --key (RSA)" },
  signature: { type: "string", takes: "NAME", help: "with --ocm: the name of the signature that counts" },
  "min-age": {
    type: "string",
    takes: "DURATION",
    help: "only what a log or a timestamp authority saw so long ago, such as 72h",
  },
} as const satisfies Flags;

export const policyHelp = rowsHelp(policyOptions);

export interface PolicyFlags {
  readonly key?: readonly string[] | undefined;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly "trusted-root"?: string | undefined;
  readonly "trust-policy"?: string | undefined;
  readonly certificate?: readonly string[] | undefined;
  readonly ocm?: boolean | undefined;
  readonly signature?: string | undefined;
  readonly "min-age"?: string | undefined;
}

/** What is accepted, by the flags. @throws UsageError, SecretInvalid, InvalidPattern, InvalidSpec */
export async function policyOf(flags: PolicyFlags): Promise<VerifyPolicy> {
  checkFlags(flags);
  const minAgeMs = minAgeOf(flags["min-age"]);
  const policy = await signersOf(flags);
  if (minAgeMs === undefined) return policy;
  const root = flags["trusted-root"];
  return aged(policy, minAgeMs, root === undefined ? undefined : await readText(root, "--trusted-root"));
}

/** Flags that stand alone, and those that each way of signing takes. */
const ways = {
  "--key": ["trusted-root", "min-age"],
  "--issuer and --subject": ["trusted-root", "min-age"],
  "--trust-policy": ["certificate", "min-age"],
  "--ocm": ["key", "signature", "min-age"],
} as const;

function askedWays({ key, issuer, ocm, "trust-policy": trustPolicy }: PolicyFlags): (keyof typeof ways)[] {
  const isGiven = {
    "--ocm": ocm === true,
    "--key": ocm !== true && key !== undefined,
    "--issuer and --subject": issuer !== undefined,
    "--trust-policy": trustPolicy !== undefined,
  };
  return (Object.keys(isGiven) as (keyof typeof ways)[]).filter((way) => isGiven[way]);
}

/** @throws UsageError where the flags say nothing, or more than one thing */
function checkFlags(flags: PolicyFlags): void {
  const { key, issuer, subject, ocm } = flags;
  if ((issuer === undefined) !== (subject === undefined))
    throw new UsageError("--issuer and --subject go together: write both, such as --subject '.*' for anybody");
  const asked = askedWays(flags);
  const [way, ...more] = asked;
  if (way === undefined || more.length > 0)
    throw new UsageError(
      `strata verify needs to know whose signature counts: write one of --key FILE, --issuer RE --subject RE, and --trust-policy FILE --certificate FILE${more.length > 0 ? `, not ${asked.join(" with ")}` : ""}`,
    );
  const taken: readonly string[] = ways[way];
  const stray = (["key", "trusted-root", "certificate", "signature"] as const).find(
    (name) => flags[name] !== undefined && !taken.includes(name) && `--${name}` !== way,
  );
  if (stray !== undefined) throw new UsageError(`--${stray} does not go with ${way}; leave it out`);
  if (ocm === true && key === undefined) throw new UsageError("--ocm needs --key FILE, an RSA public key");
}

async function signersOf(flags: PolicyFlags): Promise<VerifyPolicy> {
  const { key: keys = [], issuer, subject, certificate: certificates = [], signature } = flags;
  const document = flags["trust-policy"];
  if (document !== undefined) {
    const values = await readAll(certificates, "--certificate", (at) => `${at}.crt`);
    return notationPolicy(
      new Map([...values, ["trustpolicy.json", await readBytes(document, "--trust-policy")]]),
      "--trust-policy and --certificate",
    );
  }
  if (issuer !== undefined && subject !== undefined) {
    const root = flags["trusted-root"];
    const json = root === undefined ? undefined : await readText(root, "--trusted-root");
    return keyless({ issuer, subject }, json);
  }
  const read = await Promise.all(
    keys.map(async (path) => parsePublicKeys(await readText(path, "--key"), path, "--key")),
  );
  return flags.ocm === true ? ocmKeysPolicy(read.flat(), "--key", signature) : cosignKeysPolicy(read.flat());
}

/** @throws UsageError for what is not an expression */
function keyless(
  identity: { readonly issuer: string; readonly subject: string },
  root: string | undefined,
): VerifyPolicy {
  try {
    return keylessPolicy([identity], root);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== "InvalidPattern") throw error;
    const message = error.message.replace("matchOIDCIdentity: ", "--");
    throw new UsageError(message, new CodedError(error.code, message, { cause: error.cause }));
  }
}

/** @throws UsageError */
function minAgeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UsageError(`--min-age is "${text}"; write a duration such as 72h or 1h30m`);
  return ms;
}

const maxFileBytes = 4 * 1024 * 1024;

async function readBytes(path: string, flag: string): Promise<Buffer> {
  const fail = (problem: string, cause?: unknown): CodedError =>
    new CodedError("SecretInvalid", `${flag} ${path} ${problem}`, { cause });
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fail(`cannot be read: ${messageOf(error)}`, error);
  });
  if (bytes.length > maxFileBytes) throw fail(`is larger than ${maxFileBytes} bytes`);
  return bytes;
}

const readText = async (path: string, flag: string): Promise<string> => (await readBytes(path, flag)).toString("utf8");

async function readAll(
  paths: readonly string[],
  flag: string,
  name: (at: number) => string,
): Promise<Map<string, Buffer>> {
  const entries = paths.map(async (path, at): Promise<[string, Buffer]> => [name(at), await readBytes(path, flag)]);
  return new Map(await Promise.all(entries));
}
