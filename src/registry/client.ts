import { LRUCache } from "lru-cache";
import type { SharedRepository } from "../oci/content.ts";
import type { CredentialTarget } from "../credentials/provider.ts";
import { CodedError } from "../errors.ts";
import { printable } from "../text/printable.ts";
import { parseReference } from "../oci/reference.ts";
import { Channel, materialKey } from "./channel.ts";
import type { ConnectionOptions } from "./dispatcher.ts";
import type { ProxySettings } from "./proxy.ts";
import type { PaceLimits } from "./pace.ts";
import { openRepository } from "./repository.ts";
import type { RetryPolicy } from "./retry.ts";
import { type Access, Session } from "./session.ts";
import type { OnRequest } from "./transport.ts";

export interface RegistryClientOptions extends ConnectionOptions {
  readonly userAgent: string;
  readonly retry: RetryPolicy;
  readonly pace: PaceLimits;
  readonly maxRedirects: number;
  /** Blobs up to this size are pushed in one request, larger ones in chunks of it. */
  readonly uploadChunkBytes: number;
  /** How many sets of TLS and proxy material keep their connections. */
  readonly maxMaterials: number;
  readonly environmentProxy?: ProxySettings;
  /** For metrics. */
  readonly onRequest?: OnRequest;
  /** Called with bytes of blobs and manifests that have just been received. */
  readonly onBytes?: (host: string, bytes: number) => void;
}

/**
 * Speaks the OCI distribution-spec v1.1. One for a process: connections, tokens and what registries have asked for are
 * shared by all repositories opened with the same TLS and proxy material.
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #channels: LRUCache<string, Channel>;
  #isDestroyed = false;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#channels = new LRUCache({ max: options.maxMaterials, dispose: (channel) => void channel.close() });
  }

  /**
   * A repository to read and write; nothing is asked of the registry yet. Open one for each piece of work: what it has
   * learnt about credentials and manifests goes with it.
   *
   * @throws InvalidReference, InvalidSpec (proxy), TlsFailed (unusable material), EndpointRefused
   */
  repository(target: CredentialTarget, access: Access): SharedRepository {
    return openRepository(this.session(target, access));
  }

  /** The requests behind `repository`, one by one: for who wants to know how a registry answers. */
  session(target: CredentialTarget, access: Access): Session {
    const origin = originOf(target, access.insecure ?? false);
    const key = materialKey(access);
    const {
      environmentProxy = {},
      userAgent,
      maxRedirects,
      onRequest,
      retry,
      pace,
      uploadChunkBytes,
      onBytes,
    } = this.#options;
    const channel = (): Channel => {
      if (this.#isDestroyed) throw new CodedError("Aborted", "the registry client has been closed");
      let found = this.#channels.get(key);
      if (!found) {
        found = new Channel({ tls: access.tls, proxy: access.proxy }, { ...this.#options, environmentProxy });
        this.#channels.set(key, found);
      }
      return found;
    };
    const transport = { userAgent, maxRedirects, onRequest };
    return new Session(officialImage(target), origin, access, {
      transport,
      retry,
      pace,
      uploadChunkBytes,
      onBytes,
      channel,
    });
  }

  /** Breaks off what is under way: nobody waits for it any more. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    await Promise.all([...this.#channels.values()].map((channel) => channel.destroy()));
    this.#channels.clear();
  }

  /** Closes the connections once what is under way has ended. */
  async close(): Promise<void> {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    await Promise.all(channels.map((channel) => channel.close()));
  }
}

/** Docker Hub's registry does not answer under the names it is known by. */
const dockerHub = new Set(["docker.io", "index.docker.io", "registry.hub.docker.com"]);

/** Docker Hub keeps its official images under `library/`. */
function officialImage({ registry, repository }: CredentialTarget): CredentialTarget {
  return {
    registry,
    repository: dockerHub.has(registry) && !repository.includes("/") ? `library/${repository}` : repository,
  };
}

function originOf({ registry, repository }: CredentialTarget, insecure: boolean): string {
  const parsed = parseReference(`oci://${registry}/${repository}`);
  const host = dockerHub.has(registry) ? "registry-1.docker.io" : registry;
  const text = `${insecure ? "http" : "https"}://${host}`;
  const whole = parsed.kind === "registry" && parsed.registry === registry && parsed.repository === repository;
  if (!whole || parsed.tag !== undefined || parsed.digest !== undefined || !URL.canParse(text)) {
    throw new CodedError(
      "InvalidReference",
      `"${printable(`${registry}/${repository}`, 300)}" is not a repository, such as registry.example:5000/team/app`,
    );
  }
  return new URL(text).origin;
}
