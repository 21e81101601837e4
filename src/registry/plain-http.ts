import { connect } from "node:tls";
import { causeCode } from "../http/failures.ts";
import { isLoopback } from "./proxy.ts";

/** On the machine itself a handshake takes milliseconds; who is silent waits for a request in plain text. */
const handshakeMs = 1500;

/** What OpenSSL says of an answer that is not one to its greeting, and what ends the connection instead of answering. */
const notTls =
  /^(?:ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE|RECORD_LAYER_FAILURE)|EPROTO|ECONNRESET|EPIPE)$/;

/**
 * Whether a registry on this machine (localhost, 127.0.0.0/8, [::1]) is to be asked in plain HTTP, as docker and crane do:
 * where it does not answer a TLS handshake. One that speaks TLS is never asked in plain text, whatever its certificate is. False
 * for every other host, which is not connected to.
 *
 * @param registry `host:port`
 */
export async function speaksPlainHttp(registry: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port } = new URL(`https://${registry}`);
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (!isLoopback(host) || signal.aborted) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const servername = host === "localhost" ? host : "";
  const socket = connect({ host, port: Number(port || 443), servername, timeout: handshakeMs });
  const stop = (): void => void socket.destroy(new Error("stopped"));
  signal.addEventListener("abort", stop, { once: true });
  socket.once("secureConnect", () => resolve(false));
  socket.once("timeout", () => resolve(!socket.connecting));
  // A certificate that is refused, too, is an answer in TLS; nobody there is for the request itself to tell.
  socket.once("error", (error) => resolve(notTls.test(causeCode(error))));
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}
