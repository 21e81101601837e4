import { CodedError } from "../errors.ts";
import type { Ask } from "../http/ask.ts";
import { inTime, seconds } from "../http/deadline.ts";
import { readBody } from "./body.ts";
import { Channel } from "./channel.ts";
import type { ConnectionOptions } from "./dispatcher.ts";
import { requestName, statusError } from "./errors.ts";
import type { ProxySettings } from "./proxy.ts";
import { exchange, type TransportOptions } from "./transport.ts";

/**
 * Asks other servers as registries are asked: through the environment's proxies, with the system's certificates, never at
 * a refused address, wherever they redirect to. A connection lives for one question, which is rare.
 */
export function askOutside(
  options: ConnectionOptions & TransportOptions & { readonly environmentProxy?: ProxySettings },
): Ask {
  return async ({ url, body, timeoutMs, maxBytes }, signal) => {
    const channel = new Channel({}, { ...options, environmentProxy: options.environmentProxy ?? {} });
    const method = body === undefined ? "GET" : "POST";
    const late = (): CodedError =>
      new CodedError("RegistryTimeout", `${requestName(method, url)}: no whole answer in ${seconds(timeoutMs)}`);
    const ask = async (joined: AbortSignal): Promise<Buffer> => {
      const response = await exchange(channel, options, {
        method,
        url,
        headers: body === undefined ? {} : { "content-type": body.type },
        body: body && (() => body.bytes),
        traffic: "metadata",
        timeoutMs,
        signal: joined,
      });
      if (response.status === 200) return await readBody(response, maxBytes, "RegistryResponseInvalid");
      throw statusError(response.name, response.status, { body: "", retryAfterMs: undefined });
    };
    try {
      return await inTime({ ms: timeoutMs, late }, ask, signal);
    } finally {
      await channel.destroy();
    }
  };
}
