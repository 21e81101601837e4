import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { CodedError, messageOf } from "../errors.ts";
import { assertEndpoint, guardedLookup } from "./endpoint.ts";
import { trustSystemRoots } from "../http/system-roots.ts";
import { type ProxyServer, proxyUrl } from "./proxy.ts";

/** PEM. `ca` is trusted besides the system's roots; `cert` and `key` are shown to servers that ask (mutual TLS). */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

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

/**
 * One context for all connections with the same material: parsing the roots for each would cost more than the handshake.
 *
 * @throws TlsFailed when the material is unusable
 */
export function secureContextFor({ ca, cert, key }: TlsMaterial): SecureContext | undefined {
  if ((ca ?? cert ?? key) === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) {
    throw new CodedError(
      "TlsFailed",
      "a client certificate needs both tls.crt and tls.key; only one of them was given",
    );
  }
  trustSystemRoots();
  try {
    return createSecureContext({
      ...(ca !== undefined && { ca: [...getCACertificates("default"), ca] }),
      ...(cert !== undefined && { cert, key }),
    });
  } catch (error) {
    throw new CodedError("TlsFailed", `the TLS material cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

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
