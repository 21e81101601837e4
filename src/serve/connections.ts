import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface ConnectionLimits {
  /** How many clients may be connected, all together and from one address. Who idles longest makes way for a new one. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** How many requests may have been sent ahead (pipelining), on one connection and on all together. */
  readonly maxAhead: number;
  readonly maxAheadInAll: number;
}

interface Client {
  readonly socket: Socket;
  readonly address: string;
  /** Ends with the request that was sent last. */
  tail: Promise<void>;
  /** Requests that are not answered yet. */
  open: number;
}

/**
 * The connections of a server: how many there are, and whose turn it is. Node reads and starts as many requests of a connection as
 * its client likes to send; here each is answered when the one before is, so that a connection costs one open file at most.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #clients = new Map<string, Client>();
  /** Those without a request; who has idled longest comes first. */
  readonly #idle = new Map<string, Client>();
  readonly #perAddress = new Map<string, number>();
  /** Requests that wait for others of their connection. */
  #ahead = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** To be called with the TCP connection, before TLS. */
  admit(socket: Socket): void {
    const { remoteAddress: address } = socket;
    if (address === undefined || !this.#makeRoom(address)) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const client = { socket, address, tail: Promise.resolve(), open: 0 };
    this.#clients.set(key, client);
    this.#idle.set(key, client);
    this.#perAddress.set(address, this.#countOf(address) + 1);
    socket.once("close", () => this.#drop(key, client));
  }

  /** Runs `answer` once its turn has come; never, where the client has gone by then or has sent too much ahead. */
  async inTurn(request: IncomingMessage, response: ServerResponse, answer: () => Promise<void>): Promise<void> {
    const key = keyOf(request.socket);
    const client = this.#clients.get(key);
    if (client === undefined || this.#isTooMuch(client)) {
      request.socket.destroy();
      return;
    }
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const before = client.tail;
    client.tail = done;
    this.#idle.delete(key);
    if (client.open++ > 0) this.#ahead++;
    await before;
    // After an answer that ends the connection, the next has no socket any more.
    if (response.socket !== null && !response.socket.destroyed) await Promise.all([closed(response), answer()]);
    if (--client.open > 0) this.#ahead--;
    else if (this.#clients.get(key) === client) this.#idle.set(key, client);
    finish();
  }

  /** Who waits for every answer is always served. */
  #isTooMuch({ open }: Client): boolean {
    const { maxAhead, maxAheadInAll } = this.#limits;
    return open > maxAhead || (open > 0 && this.#ahead >= maxAheadInAll);
  }

  #makeRoom(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#countOf(address) >= maxConnectionsPerAddress && !this.#evict((client) => client.address === address))
      return false;
    return this.#clients.size < maxConnections || this.#evict(() => true);
  }

  #evict(isMeant: (client: Client) => boolean): boolean {
    for (const [key, client] of this.#idle) {
      if (!isMeant(client)) continue;
      this.#drop(key, client);
      client.socket.destroy();
      return true;
    }
    return false;
  }

  #drop(key: string, client: Client): void {
    // Its port may have been used again since.
    if (this.#clients.get(key) !== client) return;
    this.#clients.delete(key);
    this.#idle.delete(key);
    const left = this.#countOf(client.address) - 1;
    if (left > 0) this.#perAddress.set(client.address, left);
    else this.#perAddress.delete(client.address);
  }

  #countOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }
}

/** The same for a connection and for the TLS on it. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

async function closed(response: ServerResponse): Promise<void> {
  if (!response.closed) await new Promise<void>((done) => response.once("close", done));
}
