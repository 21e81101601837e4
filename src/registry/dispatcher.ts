import type { SecureContext } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import type { TlsPurpose } from "../http/secure-context.ts";
import { assertEndpoint, guardedLookup } from "./endpoint.ts";
import { type ProxyServer, proxyUrl } from "./proxy.ts";

export interface ConnectionOptions {
  /** To one host and port, for each of the two kinds of traffic. */
  readonly connectionsPerHost: number;
  readonly connectTimeoutMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
}

interface DispatcherOptions extends ConnectionOptions {
  readonly secureContext: SecureContext | undefined;
  readonly proxy: ProxyServer | undefined;
  readonly http2: boolean;
}

/** `ca` is trusted besides the system's roots; a client certificate is shown to servers that ask (mutual TLS). */
export const registryTls: TlsPurpose = {
  code: "TlsFailed",
  unusable: "the TLS material cannot be used",
  incomplete: "a client certificate needs both tls.crt and tls.key",
  withSystemRoots: true,
};

/** A connection pool. Certificates are always verified, and link-local and metadata addresses never connected to. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { connectionsPerHost, connectTimeoutMs, keepAliveMs, secureContext, proxy, http2 } = options;
  const tls = secureContext && { secureContext };
  const connect = { lookup: guardedLookup, timeout: connectTimeoutMs, ...tls };
  const common = {
    connections: connectionsPerHost,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    allowH2: http2,
  };
  if (!proxy) return new Agent({ ...common, connect });
  const url = proxyUrl(proxy);
  assertEndpoint(url, "the proxy");
  const requestTls = { timeout: connectTimeoutMs, allowH2: http2, ...tls };
  return new ProxyAgent({ ...common, uri: url.href, proxyTls: { ...connect, allowH2: false }, requestTls });
}
