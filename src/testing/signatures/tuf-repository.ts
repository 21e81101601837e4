import { createHash, sign } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ecKeys } from "./certificates.ts";

const day = 86_400_000;

export interface Publication {
  /** The content of `trusted_root.json`. */
  readonly trustedRoot: string;
  /** Of timestamp, snapshot and targets; default: the next. */
  readonly version?: number;
  /** When the timestamp expires; default: in a week. */
  readonly expires?: Date;
  /** What is served in the place of the content. */
  readonly served?: string;
  /** Who signs the timestamp; default: who has to. */
  readonly timestampBy?: TufKey;
}

/** A key pair as TUF names it. */
export class TufKey {
  readonly #keys = ecKeys();
  readonly described = {
    keytype: "ecdsa",
    scheme: "ecdsa-sha2-nistp256",
    keyval: { public: this.#keys.publicKey.export({ type: "spki", format: "pem" }).toString() },
  };
  readonly id = hashOf(canonical(this.described));

  sign(text: string): { readonly keyid: string; readonly sig: string } {
    return { keyid: this.id, sig: sign("sha256", Buffer.from(text), this.#keys.privateKey).toString("hex") };
  }
}

/** A TUF repository with consistent snapshots, which keeps one target: `trusted_root.json`. */
export class TestTufRepository {
  readonly files = new Map<string, Buffer>();
  #rootKey = new TufKey();
  readonly #onlineKey = new TufKey();
  #rootVersion = 0;
  #version = 0;

  constructor() {
    this.#writeRoot(this.#rootKey);
  }

  /** The first `root.json`, by which a client trusts the rest. */
  get anchor(): Buffer {
    return this.files.get("1.root.json")!;
  }

  publish({ trustedRoot, version = this.#version + 1, expires, served = trustedRoot, timestampBy }: Publication): void {
    this.#version = version;
    const later = new Date(Date.now() + 30 * day);
    const hash = hashOf(trustedRoot);
    const target = { length: Buffer.byteLength(trustedRoot), hashes: { sha256: hash } };
    const targets = { targets: { "trusted_root.json": target } };
    this.#write(`${version}.targets.json`, { ...header("targets", version, later), ...targets });
    this.#write(`${version}.snapshot.json`, {
      ...header("snapshot", version, later),
      meta: { "targets.json": { version } },
    });
    this.#write(
      "timestamp.json",
      {
        ...header("timestamp", version, expires ?? new Date(Date.now() + 7 * day)),
        meta: { "snapshot.json": { version } },
      },
      timestampBy ?? this.#onlineKey,
    );
    this.files.set(`targets/${hash}.trusted_root.json`, Buffer.from(served));
  }

  /** Another key signs the root from now on, as the last one says. */
  rotate(): void {
    const before = this.#rootKey;
    this.#rootKey = new TufKey();
    this.#writeRoot(this.#rootKey, before);
  }

  #writeRoot(...signers: [TufKey, ...TufKey[]]): void {
    const version = ++this.#rootVersion;
    const [key] = signers;
    const online = { keyids: [this.#onlineKey.id], threshold: 1 };
    const keys = [key, this.#onlineKey].map(({ id, described }) => [id, described] as const);
    const body = {
      ...header("root", version, new Date(Date.now() + 100 * day)),
      consistent_snapshot: true,
      keys: Object.fromEntries(keys),
      roles: { root: { keyids: [key.id], threshold: 1 }, timestamp: online, snapshot: online, targets: online },
    };
    this.#write(`${version}.root.json`, body, ...signers);
  }

  #write(name: string, signed: object, ...signers: readonly TufKey[]): void {
    const text = canonical(signed);
    const by = signers.length > 0 ? signers : [this.#onlineKey];
    this.files.set(name, Buffer.from(JSON.stringify({ signed, signatures: by.map((key) => key.sign(text)) })));
  }

  /** Serves the files; `answer` takes the place of what would be said, where it says true. */
  async serve(): Promise<TufMirror> {
    const requests: string[] = [];
    let fault: Fault | undefined;
    const server = createServer((request, response) => {
      const path = (request.url ?? "").slice(1);
      requests.push(path);
      if (fault?.(path, response) === true) return;
      const file = this.files.get(path);
      response.writeHead(file === undefined ? 404 : 200).end(file);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      requests,
      fail: (with_) => (fault = with_),
      close: async () => {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }
}

/** Whether it has taken the answer over. */
export type Fault = (path: string, response: ServerResponse) => boolean;

export interface TufMirror {
  readonly url: string;
  /** Paths that were asked for. */
  readonly requests: string[];
  fail(fault: Fault | undefined): void;
  close(): Promise<void>;
}

const header = (_type: string, version: number, expires: Date) => ({
  _type,
  spec_version: "1.0.31",
  version,
  expires: expires.toISOString().replace(/\.\d+Z$/, "Z"),
});

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** JSON with sorted names and no blanks; line breaks in keys stay as they are, as OLPC's canonical JSON has it. */
function canonical(value: unknown): string {
  if (typeof value === "string") return `"${value.replace(/["\\]/g, "\\$&")}"`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${canonical(name)}:${canonical(one)}`).join(",")}}`;
}
