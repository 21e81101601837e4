import { type ProxyEnvironment, registryDefaults, tufDefaults } from "../config.ts";
import { CodedError } from "../errors.ts";
import { Channel } from "../registry/channel.ts";
import { assertEndpoint } from "../registry/endpoint.ts";
import { readAnchor } from "../tuf/anchor.ts";
import { PublicRoot, type RootState } from "../tuf/public-root.ts";

export interface SigstoreRootOptions {
  readonly mirror: string;
  /** File with the `root.json` by which the mirror is trusted; "": that of the public Sigstore. */
  readonly rootFile: string;
  /** Where what was fetched is kept. */
  readonly directory: string;
  readonly proxy: ProxyEnvironment;
  readonly report: (state: RootState) => void;
}

/** `trusted_root.json` of the moment. */
export type ReadRoot = (signal: AbortSignal) => Promise<string>;

/** The names of the flags are those of controller and command line. @throws InvalidSpec for a wrong URL, a file that cannot be read */
export async function sigstoreRoot(options: SigstoreRootOptions, stopping: AbortSignal): Promise<ReadRoot> {
  const { mirror, rootFile, proxy } = options;
  checkMirror(mirror);
  const root = new PublicRoot(
    {
      ...options,
      anchor: rootFile === "" ? undefined : await readAnchor(rootFile),
      limits: tufDefaults,
      userAgent: registryDefaults.userAgent,
      connect: () => new TufChannel(proxy),
      now: Date.now,
    },
    stopping,
  );
  return async (signal) => await root.current(signal);
}

/** @throws InvalidSpec, which repeats no password */
function checkMirror(mirror: string): void {
  const url = URL.canParse(mirror) ? new URL(mirror) : undefined;
  const fail = (problem: string): CodedError => new CodedError("InvalidSpec", `--sigstore-tuf-mirror ${problem}`);
  if (url !== undefined && (url.username !== "" || url.password !== ""))
    throw fail("carries a user or password; a mirror is read without, since everything in it is signed");
  if (url?.protocol !== "https:" && url?.protocol !== "http:")
    // What looks like no URL may still have a password in front of its host.
    throw fail(`is "${mirror.replace(/^.*@/s, "***@")}"; write a URL with https:// or http://`);
}

/** The same connections that registries get: proxies of the environment, the system's certificates. */
class TufChannel {
  readonly #channel: Channel;

  constructor(environmentProxy: ProxyEnvironment) {
    this.#channel = new Channel({ tls: undefined, proxy: undefined }, { ...registryDefaults, environmentProxy });
  }

  dispatcher(url: URL): ReturnType<Channel["dispatcher"]> {
    assertEndpoint(url, "the mirror of --sigstore-tuf-mirror");
    return this.#channel.dispatcher(url, "metadata", true);
  }

  async destroy(): Promise<void> {
    await this.#channel.destroy();
  }
}
