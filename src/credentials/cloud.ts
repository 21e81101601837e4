import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { Credential, CredentialProvider, CredentialTarget } from "./provider.ts";
import { trustSystemRoots } from "../http/system-roots.ts";
import { accessKey } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { SharedWork } from "../sharing/shared-work.ts";
import { readServiceAccount, type SecretSource } from "./secret-data.ts";

/** `generic`: a registry that takes tokens of Kubernetes itself. */
export type CloudName = "aws" | "azure" | "gcp" | "generic";

/** For one audience, or as an account's annotations want it. */
export type WantedToken = string | { readonly audiences: readonly string[]; readonly expirationSeconds?: number };

/** Gets a token of a ServiceAccount from the Kubernetes API (TokenRequest). */
export type RequestToken = (
  namespace: string,
  serviceAccountName: string,
  wanted: WantedToken,
  signal: AbortSignal,
) => Promise<string>;

/** The ServiceAccount whose identity is used, with its annotations as they are now. */
export interface CloudAccount {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  token(wanted: WantedToken): Promise<string>;
}

export interface CloudRequest {
  readonly target: CredentialTarget;
  /** Undefined: the identity of the controller itself. */
  readonly account: CloudAccount | undefined;
  readonly signal: AbortSignal;
}

export interface CloudToken {
  readonly credential: Credential;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** How one cloud makes registry credentials out of an identity. */
export interface Cloud {
  /** What a credential is good for: registries of the same scope share it. @throws InvalidSpec for another's registry */
  scopeOf(target: CredentialTarget): string;
  exchange(request: CloudRequest): Promise<CloudToken>;
}

export interface CloudCredentialsOptions {
  readonly clouds: Readonly<Record<CloudName, Cloud>>;
  /** For all requests of one exchange together. */
  readonly timeoutMs: number;
  readonly cacheEntries: number;
}

/** A credential is renewed when this part of its life is over, as by Flux. */
const usableLife = 0.8;
/** Amazon's live longest. */
const longestLifeMs = 12 * 60 * 60_000;

interface Entry {
  readonly credential: Credential;
  /** By performance.now. */
  readonly renewAt: number;
}

/** Credentials out of workload identities, kept for each identity and registry until shortly before they expire. */
export class CloudCredentials {
  readonly #options: CloudCredentialsOptions;
  readonly #known: SharedCache<Entry>;
  readonly #exchanging = new SharedWork<Entry>(
    () => new CodedError("Aborted", "getting cloud credentials was aborted"),
  );

  constructor(options: CloudCredentialsOptions) {
    this.#options = options;
    this.#known = new SharedCache({ max: options.cacheEntries });
  }

  /** The controller's own identity. Errors of the provider: InvalidSpec (another's registry), CloudAuthFailed, Aborted. */
  ofController(cloud: CloudName): CredentialProvider {
    return {
      resolve: async (target, signal) => await this.#resolve(cloud, target, undefined, signal),
      explain: () => Promise.resolve(`the credentials shown are those that ${cloud} gives the controller`),
    };
  }

  /** The identity of a ServiceAccount. Errors of the provider: as of the controller's, and SecretNotFound. */
  ofServiceAccount(
    cloud: CloudName,
    source: SecretSource,
    name: string,
    requestToken: RequestToken,
  ): CredentialProvider {
    return {
      resolve: async (target, signal) => {
        const { metadata } = await readServiceAccount(source, name, signal);
        const token = async (wanted: WantedToken): Promise<string> =>
          await requestToken(source.namespace, name, wanted, AbortSignal.timeout(this.#options.timeoutMs)).catch(
            (error: unknown) => {
              throw notAllowed(error, `${source.namespace}/${name}`);
            },
          );
        return await this.#resolve(
          cloud,
          target,
          { namespace: source.namespace, name, uid: metadata?.uid, annotations: metadata?.annotations ?? {}, token },
          signal,
        );
      },
      explain: () =>
        Promise.resolve(
          cloud === "generic"
            ? `the credentials shown are a token of ServiceAccount ${source.namespace}/${name}`
            : `the credentials shown are those that ${cloud} gives ServiceAccount ${source.namespace}/${name}`,
        ),
    };
  }

  async #resolve(
    cloud: CloudName,
    target: CredentialTarget,
    account: CloudAccount | undefined,
    signal: AbortSignal,
  ): Promise<Credential> {
    const scope = this.#options.clouds[cloud].scopeOf(target);
    const access = accessKey({ cloud, account: account && identityOf(account) });
    const known = this.#known.get(access, scope);
    if (known !== undefined && performance.now() < known.renewAt) return known.credential;
    const exchange = async (): Promise<Entry> => {
      const entry = await this.#exchange(cloud, target, account);
      this.#known.set(access, scope, entry);
      return entry;
    };
    const asker = { patienceMs: this.#options.timeoutMs, signal };
    return (await this.#exchanging.run(access, scope, exchange, asker)).credential;
  }

  async #exchange(cloud: CloudName, target: CredentialTarget, account: CloudAccount | undefined): Promise<Entry> {
    const [startedAt, date] = [performance.now(), Date.now()];
    trustSystemRoots();
    try {
      const { credential, expiresAt } = await this.#options.clouds[cloud].exchange({
        target,
        account,
        signal: AbortSignal.timeout(this.#options.timeoutMs),
      });
      // The clock on the wall may be wrong, or be moved while the credential is kept.
      return { credential, renewAt: startedAt + Math.min(expiresAt - date, longestLifeMs) * usableLife };
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      const who = account === undefined ? "the controller" : `ServiceAccount ${account.namespace}/${account.name}`;
      throw new CodedError(
        "CloudAuthFailed",
        `${cloud} gave ${who} no credentials for ${target.registry}: ${describe(cause)}`,
        { cause },
      );
    }
  }
}

/** The controller is allowed to make tokens only where somebody has chosen that. */
function notAllowed(error: unknown, account: string): unknown {
  if (codeOf(error) !== "AccessDenied") return error;
  return new CodedError(
    "CloudAuthFailed",
    `the controller may not make a token of ServiceAccount ${account}: install the component object-level-identity, or let it create serviceaccounts/token in that namespace`,
    { cause: error },
  );
}

/** An edited annotation is another identity, and so is an account that was made anew. */
function identityOf({ namespace, name, uid, annotations }: CloudAccount): unknown {
  return [namespace, name, uid, Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))];
}

/** The clouds' SDKs name what failed, never a token; their longer explanations are for consoles. */
function describe(cause: unknown): string {
  return `${cause instanceof Error ? `${cause.name}: ` : ""}${messageOf(cause).split("\n")[0]?.slice(0, 300) ?? ""}`;
}
