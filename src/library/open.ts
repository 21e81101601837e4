import { cliDefaults, cliEnvironment, credentialDefaults, defaultLimits, registryDefaults } from "../config.ts";
import { dockerCliProvider } from "../credentials/docker-cli.ts";
import type { CredentialProvider, CredentialTarget } from "../credentials/provider.ts";
import { CodedError } from "../errors.ts";
import type { TlsMaterial } from "../http/secure-context.ts";
import type { Limits } from "../oci/limits.ts";
import { formatReference, parseReference } from "../oci/reference.ts";
import { RegistryClient } from "../registry/client.ts";
import { openLayout as openLayoutAt } from "../registry/layout.ts";
import type { ProxyServer } from "../registry/proxy.ts";
import type { Access } from "../registry/session.ts";
import { Repository } from "./repository.ts";

export interface RegistryOptions {
  /** Who asks; anonymous without it. `dockerCredentials()` are those of `docker login`. */
  readonly credentials?: CredentialProvider | undefined;
  /** Plain HTTP. There is no way to switch the verification of certificates off. */
  readonly insecure?: boolean | undefined;
  /** PEM: certificates to trust besides the system's, and a client certificate. */
  readonly tls?: TlsMaterial | undefined;
  /** The way to the registries; HTTP_PROXY, HTTPS_PROXY and NO_PROXY where it is not given. */
  readonly proxy?: ProxyServer | undefined;
  /** For an answer, all retries together; content may take as long as it keeps coming. A minute by default. */
  readonly timeoutMs?: number | undefined;
  /** The most that is taken of a registry. */
  readonly limits?: Partial<Limits> | undefined;
  readonly userAgent?: string | undefined;
}

/**
 * Registries, all asked in the same way. One is enough for a process: its repositories share connections, tokens, and what
 * registries have said about their rate limits.
 */
export class Registry implements AsyncDisposable {
  readonly #client: RegistryClient;
  readonly #access: Access;

  constructor(options: RegistryOptions = {}) {
    const { credentials, insecure = false, tls, proxy, timeoutMs = cliDefaults.timeoutMs } = options;
    const { userAgent = registryDefaults.userAgent } = options;
    this.#client = new RegistryClient({ ...registryDefaults, userAgent, environmentProxy: cliEnvironment().proxy });
    this.#access = { credentials, insecure, tls, proxy, timeoutMs, limits: { ...defaultLimits, ...options.limits } };
  }

  /**
   * A repository to read and write; nothing is asked yet. A tag or digest behind it is not used: `resolve` takes it.
   *
   * @param reference `oci://registry.example/team/app`, the same without the scheme, or its two parts
   * @throws CodedError InvalidReference, TlsFailed, InvalidSpec (proxy), EndpointRefused
   */
  repository(reference: string | CredentialTarget): Repository {
    return new Repository(this.#client.repository(targetOf(reference), this.#access), this.#access.limits);
  }

  /** Closes the connections once what is under way has ended. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function targetOf(reference: string | CredentialTarget): CredentialTarget {
  if (typeof reference !== "string") return { registry: reference.registry, repository: reference.repository };
  const parsed = parseReference(reference);
  if (parsed.kind === "registry") return parsed;
  throw new CodedError("InvalidReference", `"${formatReference(parsed)}" is a layout on disk: openLayout opens it`);
}

/** An OCI image layout in a directory; the first write makes it where there is none. */
export function openLayout(directory: string, limits: Partial<Limits> = {}): Repository {
  const all = { ...defaultLimits, ...limits };
  return new Repository(openLayoutAt(directory, all), all);
}

/**
 * The credentials of `docker login`: config.json with its credential helpers.
 * @param configDir default: DOCKER_CONFIG, else ~/.docker
 */
export function dockerCredentials(configDir?: string): CredentialProvider {
  const { dockerConfigDir, path } = cliEnvironment();
  const { helperTimeoutMs } = credentialDefaults;
  return dockerCliProvider({ configDir: configDir ?? dockerConfigDir, path, helperTimeoutMs });
}
