import { createHash } from "node:crypto";
import type { SecureContext } from "node:tls";
import type { Dispatcher } from "undici";
import { Authorizer } from "./auth.ts";
import { secureContextOf, type TlsMaterial } from "../http/secure-context.ts";
import { type ConnectionOptions, createDispatcher, registryTls } from "./dispatcher.ts";
import { environmentProxy, type ProxyServer, type ProxySettings, proxyUrl } from "./proxy.ts";
import { trustSystemRoots } from "../http/system-roots.ts";
import { HostGate } from "./retry.ts";

/** What a connection is made with. */
export interface Material {
  readonly tls?: TlsMaterial | undefined;
  readonly proxy?: ProxyServer | undefined;
}

/**
 * `metadata` may use HTTP/2. `bulk` is HTTP/1.1: a paused download then holds back only its own connection, while over
 * HTTP/2 it would use up the window that all requests to the host share.
 */
export type Traffic = "metadata" | "bulk";

/** A name for `material`: another certificate, CA or proxy password is another key. */
export function materialKey({ tls, proxy }: Material): string {
  const parts = [tls?.ca, tls?.cert, tls?.key, proxy?.address, proxy?.username, proxy?.password];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64");
}

/**
 * All that requests with the same TLS and proxy material share. Nothing is shared beyond: whoever chooses a CA and a
 * proxy could else answer in a registry's name and have another's credentials sent to a token endpoint of their own.
 */
export class Channel {
  readonly authorizer = new Authorizer();
  readonly gate = new HostGate();
  readonly #material: Material;
  readonly #options: ConnectionOptions & { readonly environmentProxy: ProxySettings };
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #contexts = new Map<boolean, SecureContext | undefined>();

  constructor(material: Material, options: ConnectionOptions & { readonly environmentProxy: ProxySettings }) {
    this.#material = material;
    this.#options = options;
  }

  /** Host and port of the proxy on the way to `url`; undefined where there is none. */
  proxyOf(url: URL): string | undefined {
    const proxy = this.#proxy(url);
    return proxy && proxyUrl(proxy).host;
  }

  #proxy(url: URL): ProxyServer | undefined {
    return this.#material.proxy ?? environmentProxy(url, this.#options.environmentProxy);
  }

  /** @param ownOrigin false where a redirect has led away from the registry: it is not shown the client certificate */
  dispatcher(url: URL, traffic: Traffic, ownOrigin: boolean): Dispatcher {
    if (url.protocol === "https:") trustSystemRoots();
    const proxy = this.#proxy(url);
    const key = `${traffic} ${String(ownOrigin)} ${proxy?.address ?? ""}`;
    let found = this.#dispatchers.get(key);
    if (!found) {
      found = createDispatcher({
        ...this.#options,
        secureContext: this.#context(ownOrigin),
        proxy,
        http2: traffic === "metadata",
      });
      this.#dispatchers.set(key, found);
    }
    return found;
  }

  #context(ownOrigin: boolean): SecureContext | undefined {
    if (!this.#contexts.has(ownOrigin)) {
      const { ca, cert, key } = this.#material.tls ?? {};
      this.#contexts.set(ownOrigin, secureContextOf(ownOrigin ? { ca, cert, key } : { ca }, registryTls));
    }
    return this.#contexts.get(ownOrigin);
  }

  /** Breaks off what is under way. */
  async destroy(): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
  }

  /** Lets what is under way end, and closes the connections; may be called again. */
  async close(): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.close()));
  }
}
