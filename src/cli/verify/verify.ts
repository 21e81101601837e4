import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Derivation } from "../../../api/v1beta1/derivation.ts";
import { codeOf } from "../../errors.ts";
import { formatReference } from "../../oci/reference.ts";
import type { Descriptor } from "../../oci/types.ts";
import { resolveNamed } from "../../tags/resolve.ts";
import type { CosignKeyPolicy, Verification, Verifier, VerifyPolicy } from "../../verify/verifier.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { documentFlag, errorDocument, formatOf, type OutputFormat, printData, printError } from "../output.ts";
import { openSource, type OpenedSource, sourceFlags } from "../source.ts";
import { plain } from "../terminal.ts";
import { trustFlags, withVerifier } from "../trust.ts";
import { readDerivation } from "./derivation.ts";
import { policyHelp, policyOf, policyOptions } from "./policy.ts";
import { rebuild, type Rebuilt } from "./rebuild.ts";
import { counted } from "../../text/count.ts";

const otherFlags = {
  derivation: {
    type: "boolean",
    help: "also check the attestation of publish.oci.sign, by --key, and rebuild the artifact",
  },
  upstream: {
    type: "string",
    takes: "REFERENCE",
    help: "with --derivation: read upstream there instead, by the same digest",
  },
  ...trustFlags,
  ...sourceFlags,
  output: { ...documentFlag, short: "o", help: "print the result for a program" },
} as const satisfies Flags;

const help = `
strata verify checks whose signature an artifact carries and, with --derivation, how Strata has made it: it is built again
from upstream, by digest, and compared with what was pushed.

Usage:
  strata verify oci://HOST/REPOSITORY[:TAG][@DIGEST] --key cosign.pub [--derivation]
  strata verify REFERENCE --issuer RE --subject RE
  strata verify REFERENCE --trust-policy trustpolicy.json --certificate ca.crt

Whose signature counts:
${policyHelp}

Other flags:
${flagsHelp(otherFlags)}

Exit codes:
  0  verified; with --derivation: and reproducible
  1  it could not be found out: the registry is down, a file cannot be read
  2  the command line is wrong
  3  not verified: no good signature or attestation, or one that is too young
  4  verified, but not reproducible: upstream's bytes make another artifact

Examples:
  strata verify oci://ghcr.io/org/app:1.4.0 --key cosign.pub
  strata verify oci://registry.example/apps/podinfo:stable --key signing.pub --derivation --output json
`;

const options = { ...policyOptions, ...otherFlags } as const;

type Values = FlagValues<typeof options>;

/** What `strata verify` ends with, besides 0 to 2 as everywhere. */
const exitCodes = { verified: 0, notVerified: 3, notReproducible: 4 } as const;

export const verify: Command = { summary: "Check signatures, and how an artifact was made", help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(options, args);
  const format = formatOf(values.output);
  const [text, ...more] = positionals;
  if (text === undefined || more.length > 0) throw new UsageError("strata verify takes one reference");
  if (values.upstream !== undefined && values.derivation !== true)
    throw new UsageError("--upstream is where --derivation reads upstream; write --derivation as well");
  const policy = await policyOf(values);
  if (values.derivation === true && (policy.provider !== "cosign" || policy.method !== "keys"))
    throw new UsageError("--derivation is checked by --key FILE, the public key of publish.oci.sign");
  const source = await openSource(text, accessOf(values), io);
  try {
    const root = await resolveNamed(source.repository, source.reference, "read", io.signal);
    return await withVerifier(values, io, (verifier) => check({ values, format, source, root, policy, verifier }, io));
  } finally {
    await source.close();
  }
}

const accessOf = (values: Values) => ({ insecure: values.insecure, caFile: values["ca-file"] });

interface Check {
  readonly values: Values;
  readonly format: OutputFormat;
  readonly source: OpenedSource;
  readonly root: Descriptor;
  readonly policy: VerifyPolicy;
  readonly verifier: Verifier;
}

/** What was found out. */
interface Result {
  readonly reference: string;
  readonly verification: Verification;
  readonly derivation?: Derivation;
  readonly attestation?: string;
  readonly rebuilt?: Rebuilt;
}

/** Codes that say of an artifact that it is not verified; everything else says nothing about it. */
const refusals = new Set<string>(["VerificationFailed", "TooYoung"]);

async function check(request: Check, io: CommandIO): Promise<number> {
  const { format } = request;
  let result: Result;
  try {
    result = await signed(request, io);
  } catch (error) {
    if (!refusals.has(codeOf(error))) throw error;
    if (format === "text") printError(io, error);
    else printData(io.stdout, format, { verified: false, ...errorDocument(error) });
    return exitCodes.notVerified;
  }
  const { derivation } = result;
  if (derivation !== undefined) result = { ...result, rebuilt: await rebuilt(request, derivation, io) };
  if (format === "text") printText(result, io);
  else printData(io.stdout, format, documentOf(result));
  return result.rebuilt?.isReproducible === false ? exitCodes.notReproducible : exitCodes.verified;
}

/** @throws VerificationFailed, TooYoung, what the registry client throws */
async function signed({ values, source, root, policy, verifier }: Check, io: CommandIO): Promise<Result> {
  const request = { repository: source.repository, root, signal: io.signal };
  const verification = await verifier.verify({ ...request, policy });
  const reference = formatReference({ ...source.reference, digest: root.digest });
  if (values.derivation !== true) return { reference, verification };
  return { reference, verification, ...(await readDerivation(request, policy as CosignKeyPolicy)) };
}

async function rebuilt({ values, source, root }: Check, derivation: Derivation, io: CommandIO): Promise<Rebuilt> {
  const dir = await mkdtemp(join(tmpdir(), "strata-verify-"));
  try {
    const { upstream } = values;
    return await rebuild({ derivation, pushed: source, root, upstream, flags: accessOf(values), dir }, io);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function documentOf({ reference, verification, derivation, attestation, rebuilt: made }: Result) {
  const { provider, identity, result, signature, signedAt, warnings } = verification;
  return {
    verified: result === "verified",
    reference,
    signature: {
      provider,
      identity,
      result,
      ...(signature !== undefined && { manifest: signature }),
      ...(signedAt !== undefined && { signedAt: new Date(signedAt).toISOString() }),
      ...(warnings.length > 0 && { warnings }),
    },
    ...(derivation && { derivation, attestation }),
    ...(made && {
      rebuilt: {
        reproducible: made.isReproducible,
        contentDigest: made.contentDigest,
        ...(made.difference && { difference: made.difference }),
      },
    }),
  };
}

function printText(found: Result, { stdout }: CommandIO): void {
  const { reference, verification, derivation, rebuilt: made } = found;
  const { identity, provider, warnings, signedAt, result } = verification;
  const when = signedAt === undefined ? "" : `, at ${new Date(signedAt).toISOString()}`;
  const lines = [
    `${result === "verified" ? "verified  " : "let pass  "} ${reference}`,
    `signed by  ${identity} (${provider}${when})`,
    ...warnings.map((warning) => `warning    ${warning}`),
    ...(derivation === undefined ? [] : derivationLines(derivation)),
    ...(made === undefined ? [] : rebuiltLines(made)),
  ];
  stdout.write(`${lines.map(plain).join("\n")}\n`);
}

function derivationLines({ upstream, verification, selection, contentDigest, builder }: Derivation): string[] {
  const { tag, url, digest } = upstream;
  const { operation, layerCount } = selection;
  return [
    `upstream   ${url}${tag === undefined ? "" : `:${tag}`}@${digest}`,
    `           ${verification === undefined ? "whose signature was not asked for" : `verified as signed by ${verification.identity} (${verification.provider})`}`,
    `made by    ${builder.name} ${builder.version}: ${operation} of ${counted(layerCount, "layer")}`,
    `content    ${contentDigest}`,
  ];
}

function rebuiltLines({ isReproducible, contentDigest, difference }: Rebuilt): string[] {
  if (isReproducible) return ["rebuilt    reproducible: upstream makes the same content"];
  return [
    `rebuilt    not reproducible: upstream makes ${contentDigest}`,
    ...(difference === undefined
      ? []
      : [`first      ${difference.path === "" ? "" : `${difference.path} `}${difference.what}`]),
  ];
}
