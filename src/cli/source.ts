import { readFile } from "node:fs/promises";
import { cliDefaults, credentialDefaults, defaultLimits, registryDefaults } from "../config.ts";
import { parseCertificates } from "../credentials/certificates.ts";
import type { OpenRepository, Place } from "../component/locate.ts";
import { canonicalHost } from "../credentials/docker-config.ts";
import { dockerCliProvider } from "../credentials/docker-cli.ts";
import type { CredentialProvider } from "../credentials/provider.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { Ask } from "../http/ask.ts";
import type { WritableRepository } from "../oci/content.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import { askOutside } from "../registry/ask.ts";
import { RegistryClient } from "../registry/client.ts";
import { connectionAdvice } from "../registry/errors.ts";
import type { Access } from "../registry/session.ts";
import { openLayout } from "../registry/layout.ts";
import { speaksPlainHttp } from "../registry/plain-http.ts";
import { printable } from "../text/printable.ts";
import { type CommandIO, UsageError } from "./command.ts";
import type { Flags } from "./flags/flag.ts";

/** Flags of every command that takes a reference. */
export const sourceFlags = {
  insecure: {
    type: "boolean",
    help: "plain HTTP; a registry on this machine (localhost, 127.0.0.0/8, [::1]) is asked so where it does not speak TLS",
    otherNames: ["plain-http", "allow-http", "http", "tls-verify", "insecure-registry", "allow-insecure-registry"],
  },
  "ca-file": {
    type: "string",
    takes: "FILE",
    help: "certificates (PEM) to trust besides the system's",
    otherNames: ["ca", "cacert", "ca-cert", "certificate-authority", "tls-ca-file"],
  },
} as const satisfies Flags;

export interface SourceFlags {
  readonly insecure?: boolean | undefined;
  /** PEM file; its certificates are trusted besides the system's. */
  readonly caFile?: string | undefined;
}

/** The same error in the words of `sourceFlags`, for a command that is not told by a spec. */
export function inSourceFlags(error: unknown): unknown {
  if (!(error instanceof CodedError)) return error;
  const message = error.message
    .replaceAll(connectionAdvice.untrusted, "--ca-file FILE adds one")
    .replaceAll(connectionAdvice.notTls, "--insecure allows plain HTTP");
  if (message === error.message) return error;
  const { code, cause, details } = error;
  return new CodedError(code, message, { cause, ...(details && { details }) });
}

/** A repository on a registry or in an image layout, ready to read and write. */
export interface OpenedSource {
  readonly reference: Reference;
  readonly repository: WritableRepository;
  /** Whether it is asked in plain HTTP. */
  readonly insecure: boolean;
  /** Opens what a component version refers to. */
  readonly open: OpenRepository;
  readonly close: () => Promise<void>;
}

/**
 * Opens `oci://HOST/REPOSITORY[:TAG][@DIGEST]` with Docker's credentials, or `oci-layout://PATH[:TAG][@DIGEST]`. Nothing
 * is asked of a registry yet.
 * @throws UsageError (InvalidReference, InvalidDigest), TlsFailed (unusable --ca-file)
 */
export async function openSource(text: string, flags: SourceFlags, io: CommandIO): Promise<OpenedSource> {
  const reference = parseSource(text);
  if (reference.kind === "layout")
    return {
      reference,
      insecure: false,
      repository: openLayout(reference.path, defaultLimits),
      open: refuseFromLayout,
      close: () => Promise.resolve(),
    };
  const { registry, credentials, access } = await openConnection(reference.registry, flags, io);
  return {
    reference,
    insecure: access.insecure ?? false,
    repository: registry.repository(reference, access),
    open: async (place, signal) => {
      const isOwnHost = canonicalHost(place.registry) === canonicalHost(reference.registry);
      if (!isOwnHost) await requireKnown(credentials, place, signal);
      return registry.repository(place, isOwnHost ? access : { ...access, insecure: false });
    },
    close: async () => await registry.close(),
  };
}

/** A reference of the command line. @throws UsageError */
export function parseSource(text: string): Reference {
  try {
    return parseReference(text);
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof CodedError && (code === "InvalidReference" || code === "InvalidDigest"))
      throw usageError(error);
    throw error;
  }
}

/** In the words of the command line. */
function usageError(error: CodedError): UsageError {
  const message = error.message.replace(
    "is asked for by insecure, not by the scheme",
    "is asked for by --insecure, not by the scheme",
  );
  return new UsageError(message, new CodedError(error.code, message, { cause: error.cause }));
}

/** A client, and how the flags say that its registry is reached. @throws TlsFailed (unusable --ca-file) */
export async function openConnection(
  host: string,
  flags: SourceFlags,
  io: CommandIO,
): Promise<{ registry: RegistryClient; credentials: CredentialProvider; access: Access }> {
  const tls = flags.caFile === undefined ? undefined : { ca: await readCertificates(flags.caFile) };
  const { registry, credentials } = openRegistry(io);
  // Whoever names a certificate means TLS.
  const insecure = flags.insecure ?? (tls === undefined && (await speaksPlainHttp(host, io.signal)));
  return {
    registry,
    credentials,
    access: { credentials, insecure, tls, timeoutMs: cliDefaults.timeoutMs, limits: defaultLimits },
  };
}

function refuseFromLayout({ registry, repository }: Place): never {
  throw new CodedError(
    "AccessUnsupported",
    `the component version refers to ${registry}/${repository}, which is not in this layout on disk; name the component version in a registry`,
  );
}

/** Nobody's reference leads to a registry that the user has nothing to do with. */
async function requireKnown(credentials: CredentialProvider, place: Place, signal: AbortSignal): Promise<void> {
  if (await credentials.knows?.(place, signal)) return;
  throw new CodedError(
    "SecretInvalid",
    `the component version refers to ${place.registry}/${place.repository}, on another registry, which is asked only with credentials of its own: run "docker login ${place.registry}", or add ${place.registry} to the auths of Docker's config.json; an entry without credentials is enough for what is public`,
  );
}

/** A client with the environment's proxies and the credentials of `docker login`. */
export function openRegistry(io: CommandIO): { registry: RegistryClient; credentials: CredentialProvider } {
  const { dockerConfigDir, path, proxy } = io.environment;
  const credentials = dockerCliProvider({
    configDir: dockerConfigDir,
    path,
    helperTimeoutMs: credentialDefaults.helperTimeoutMs,
  });
  return {
    registry: new RegistryClient({
      ...registryDefaults,
      retry: { ...registryDefaults.retry, onWait: tellWait(io) },
      environmentProxy: proxy,
    }),
    credentials,
  };
}

/** Asks the servers that certificates name, through the environment's proxies. */
export function askFrom({ environment }: Pick<CommandIO, "environment">): Ask {
  return askOutside({ ...registryDefaults, environmentProxy: environment.proxy });
}

async function readCertificates(path: string): Promise<string> {
  const fail = (problem: string, cause?: unknown): CodedError =>
    new CodedError("TlsFailed", `--ca-file ${path} ${problem}`, { cause });
  const pem = await readFile(path, "utf8").catch((error: unknown) => {
    throw fail(`cannot be read: ${messageOf(error)}`, error);
  });
  // Without one, nothing more would be trusted than before, and the handshake would say so later.
  parseCertificates(pem, fail);
  return pem;
}

/** Pauses that nobody notices are not told of. */
const leastToldMs = 1000;

const tellWait =
  ({ stderr }: CommandIO) =>
  ({ why, ms }: { why: string; ms: number }): void => {
    if (ms < leastToldMs) return;
    const until = new Date(Date.now() + ms).toISOString().slice(11, 19);
    stderr.write(`${printable(why, 500)}; trying again at ${until} UTC\n`);
  };
