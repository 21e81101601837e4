import { execFileSync, spawn, type ChildProcessByStdio } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import type { SeenEntry } from "./views.ts";

export type Seen = { readonly entries: readonly SeenEntry[] } | { readonly error: string };

/** Reads as node-tar does. @param gzip a compressed tar */
export async function readWithNodeTar(gzip: Buffer): Promise<Seen> {
  const entries: SeenEntry[] = [];
  const parser = new Parser({ strict: true });
  const done = new Promise<Seen>((resolve) => {
    parser.on("end", () => resolve({ entries }));
    parser.on("error", (error: Error) => resolve({ error: error.message }));
  });
  parser.on("entry", (entry: ReadEntry) => {
    const hash = createHash("sha256");
    entry.on("data", (chunk: Buffer) => hash.update(chunk));
    entry.on("end", () =>
      entries.push({
        name: entry.path,
        type: entry.type === "Directory" ? "dir" : entry.type.endsWith("File") ? "file" : "special",
        link: entry.linkpath ?? "",
        mode: entry.mode ?? 0,
        sha256: hash.digest("hex"),
      }),
    );
  });
  parser.end(gunzipSync(gzip));
  return await done;
}

/** Where Go is looked for. */
const goPrograms = ["go", "/usr/local/go/bin/go"];

/** Go's standard library, as a process that is asked again and again. */
export class GoReader {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(program: string) {
    this.#process = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Undefined where there is no Go. @param dir where the program is built */
  static build(dir: string): GoReader | undefined {
    const go = goPrograms.find(runs);
    if (go === undefined) return undefined;
    const program = join(dir, "goreader");
    const source = join(import.meta.dirname, "goreader/main.go");
    const settings = [`GOCACHE=${join(dir, "cache")}`, "GO111MODULE=off", "GOFLAGS=", "CGO_ENABLED=0"];
    execFileSync("env", [...settings, go, "build", "-o", program, source], { stdio: "inherit" });
    return new GoReader(program);
  }

  async read(kind: "tar" | "gzip" | "zip", content: Buffer): Promise<Seen> {
    const head = Buffer.alloc(5);
    head.write(kind === "zip" ? "z" : kind.slice(0, 1));
    head.writeUInt32BE(content.length, 1);
    this.#process.stdin.write(Buffer.concat([head, content]));
    const line = await this.#lines.next();
    if (line.done === true) throw new Error("the reader in Go has ended");
    const { error, entries } = JSON.parse(line.value) as { error: string; entries: SeenEntry[] | null };
    if (error !== "") return { error };
    return {
      entries: (entries ?? []).map(({ name, link, ...rest }) =>
        Object.assign(rest, { name: named(name), link: named(link) }),
      ),
    };
  }

  close(): void {
    this.#process.kill();
  }
}

/** Names come in hexadecimal: they may be no UTF-8. */
function named(hex: string): string {
  return Buffer.from(hex, "hex").toString("utf8");
}

function runs(go: string): boolean {
  try {
    execFileSync(go, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
