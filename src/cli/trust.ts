import { join } from "node:path";
import { cliDefaults } from "../config.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import { lazyVerifier } from "../pipeline/verify-policy.ts";
import type { Verifier } from "../verify/verifier.ts";
import { sigstoreRoot, type SigstoreRootOptions } from "../reconciler/sigstore-root.ts";
import { type CommandIO, UsageError } from "./command.ts";
import type { Flags } from "./flags/flag.ts";
import { askFrom } from "./source.ts";
import { plain } from "./terminal.ts";

/** Flags of every command that verifies signatures; the controller has the same. */
export const trustFlags = {
  "sigstore-tuf-mirror": {
    type: "string",
    takes: "URL",
    help: "where the trusted root of the public Sigstore is refreshed from, at most once a day",
  },
  "sigstore-tuf-root": {
    type: "string",
    takes: "FILE",
    help: "root.json by which the mirror is trusted, instead of the public Sigstore's",
  },
  "no-sigstore-tuf": {
    type: "boolean",
    help: "ask nobody, and trust the root that came with strata; so does STRATA_SIGSTORE_TUF=false",
  },
} as const satisfies Flags;

export interface TrustFlags {
  readonly "sigstore-tuf-mirror"?: string | undefined;
  readonly "sigstore-tuf-root"?: string | undefined;
  readonly "no-sigstore-tuf"?: boolean | undefined;
}

/** The trusted root of the public Sigstore, kept in the user's cache; undefined where nobody is to be asked. */
export async function publicRootOf(
  flags: TrustFlags,
  io: CommandIO,
  stopping: AbortSignal,
): Promise<((signal: AbortSignal) => Promise<string>) | undefined> {
  if (!mayAsk(flags, io)) return undefined;
  const options: SigstoreRootOptions = {
    mirror: flags["sigstore-tuf-mirror"] ?? cliDefaults.sigstoreTufMirror,
    rootFile: flags["sigstore-tuf-root"] ?? "",
    directory: join(io.environment.cacheDir, "sigstore"),
    proxy: io.environment.proxy,
    report: warnOfFailure(io),
  };
  try {
    return await sigstoreRoot(options, stopping);
  } catch (error) {
    throw error instanceof CodedError && codeOf(error) === "InvalidSpec" ? new UsageError(error.message, error) : error;
  }
}

/** @throws UsageError where the flags say yes and no */
function mayAsk(flags: TrustFlags, io: CommandIO): boolean {
  const isNamed = flags["sigstore-tuf-mirror"] !== undefined || flags["sigstore-tuf-root"] !== undefined;
  if (flags["no-sigstore-tuf"] !== true) return isNamed || io.environment.sigstoreTuf;
  if (!isNamed) return false;
  throw new UsageError("--no-sigstore-tuf asks nobody; leave --sigstore-tuf-mirror and --sigstore-tuf-root out");
}

function warnOfFailure({ stderr }: CommandIO): SigstoreRootOptions["report"] {
  return ({ result, error, refreshedAt }) => {
    if (result !== "failure" && result !== "slow") return;
    const used = refreshedAt === undefined ? "it never was" : `it last was ${new Date(refreshedAt).toISOString()}`;
    const what = result === "slow" ? "is not refreshed yet" : "could not be refreshed";
    const why = result === "slow" ? "the mirror is slow" : messageOf(error);
    stderr.write(`${plain(`warning: the trusted root of Sigstore ${what}, ${used}: ${why}`)}\n`);
  };
}

/** Runs work with a verifier; what is still under way for it ends with the work. @throws UsageError; what the work throws */
export async function withVerifier<T>(
  flags: TrustFlags,
  io: CommandIO,
  work: (verifier: Verifier) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  try {
    const publicRoot = await publicRootOf(flags, io, AbortSignal.any([io.signal, done.signal]));
    return await work(lazyVerifier({ publicRoot, ask: askFrom(io) }));
  } finally {
    done.abort(new DOMException("done", "AbortError"));
  }
}
