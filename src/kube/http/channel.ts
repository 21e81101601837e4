import type { SecureContext } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { CodedError } from "../../errors.ts";
import { secureContextOf, type TlsPurpose } from "../../http/secure-context.ts";
import type { Clock } from "../clock.ts";
import type { KubeAccess, Material } from "./access.ts";

export interface ChannelOptions {
  /** For everything but watches, each of which has a connection of its own. */
  readonly connections: number;
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** How old tokens and certificates from files may get. */
  readonly materialMs: number;
}

/** `watch` has connections of its own, so that no watch keeps a request waiting. */
type Traffic = "request" | "watch";

export interface Link {
  readonly material: Material;
  readonly dispatchers: Readonly<Record<Traffic, Dispatcher>>;
}

/**
 * The connections to one API server. Certificates are verified, unless the access says otherwise. New certificates in the files make new connections,
 * while what is under way ends on the old ones.
 */
export class Channel {
  readonly #access: KubeAccess;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  #link: Link | undefined;
  #loadedAt = 0;
  #loading: Promise<Link> | undefined;
  #closed = false;
  /** Links that were replaced and still have requests under way. */
  readonly #retired = new Set<Link>();

  constructor(access: KubeAccess, options: ChannelOptions, clock: Clock) {
    this.#access = access;
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * The connections, with the material as of now.
   *
   * @param refused the authorization that the server has just answered 401 to
   * @throws InvalidSpec, AccessDenied where there is no material
   */
  async link(refused?: Link): Promise<Link> {
    const link = this.#link;
    const isRefused = refused !== undefined && refused === link;
    if (link !== undefined && !isRefused && this.#clock.now() - this.#loadedAt < this.#options.materialMs) return link;
    this.#loading ??= this.#load(isRefused).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #load(refused: boolean): Promise<Link> {
    const old = this.#link;
    if (this.#closed) throw new CodedError("KubeUnreachable", "the connection to the API server has been closed");
    try {
      const material = await this.#access.load(refused);
      this.#link = this.#replace(old, material);
    } catch (error) {
      // In the middle of a rotation files are missing for a moment; what was valid a minute ago most likely still is.
      if (old === undefined || refused) throw error;
    }
    this.#loadedAt = this.#clock.now();
    return this.#link!;
  }

  #replace(old: Link | undefined, material: Material): Link {
    if (old !== undefined && sameTls(old.material, material)) return { material, dispatchers: old.dispatchers };
    const secureContext = secureContextOf(material, apiServer);
    const dispatchers = {
      request: this.#dispatcher(this.#options.connections, secureContext),
      watch: this.#dispatcher(undefined, secureContext),
    };
    if (old !== undefined) this.#retire(old);
    return { material, dispatchers };
  }

  #retire(link: Link): void {
    this.#retired.add(link);
    void Promise.allSettled(Object.values(link.dispatchers).map((dispatcher) => dispatcher.close())).then(() =>
      this.#retired.delete(link),
    );
  }

  #dispatcher(connections: number | undefined, secureContext: SecureContext | undefined): Dispatcher {
    const { connectTimeoutMs, keepAliveMs } = this.#options;
    const { proxy, serverName, unverified } = this.#access;
    const tls = {
      ...(secureContext && { secureContext }),
      ...(serverName !== undefined && { servername: serverName }),
      ...(unverified === true && { rejectUnauthorized: false }),
    };
    const connect = { timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 15_000, ...tls };
    const common = {
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      pipelining: 1,
      allowH2: false,
      ...(connections !== undefined && { connections }),
    };
    return proxy === undefined
      ? new Agent({ ...common, connect })
      : new ProxyAgent({ ...common, uri: proxy.href, requestTls: { ...connect, allowH2: false } });
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    const links = this.#link === undefined ? [...this.#retired] : [this.#link, ...this.#retired];
    this.#link = undefined;
    await Promise.all(
      links.flatMap(({ dispatchers }) => Object.values(dispatchers).map((dispatcher) => dispatcher.destroy())),
    );
  }
}

const sameTls = (a: Material, b: Material): boolean => a.ca === b.ca && a.cert === b.cert && a.key === b.key;

const apiServer: TlsPurpose = {
  code: "InvalidSpec",
  unusable: "the certificates for the API server cannot be used",
  incomplete: "a client certificate for the API server needs both a certificate and a key",
  withSystemRoots: false,
};
