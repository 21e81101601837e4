import { createHash } from "node:crypto";
import { watch } from "node:fs";
import { CodedError, messageOf } from "../../errors.ts";
import type { ResourceType } from "../../../api/kinds.ts";
import type { KubeClient, ObjectKey } from "../client.ts";
import { systemClock, type Clock } from "../clock.ts";
import { DirectorySync } from "./directory-sync.ts";
import { MemoryKube } from "./memory.ts";

export interface DirectoryOptions {
  /** A directory of YAML and JSON manifests, at any depth. */
  readonly dir: string;
  /** What is wrong with a manifest, with file and line; told once for as long as it stays so. */
  readonly onProblem: (message: string) => void;
  /** Ends the watch over the directory. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/** Files are written in several steps; this long after the last one they are read, */
const quietMs = 100;
/** but not later than this after the first. */
const longestDelayMs = 1000;
/** File systems that tell nothing, such as network mounts, are looked at this often; unchanged files are not read again. */
const pollMs = 10_000;

/**
 * The Kubernetes API over a directory of manifests, for standalone mode: ArtifactRepository, Secret, ServiceAccount and ImagePolicy
 * objects appear, change and vanish with their manifests; everything that is written stays in memory. Manifests without a
 * namespace are in `default`. A manifest that has become unreadable leaves its objects as they were.
 *
 * @throws InvalidSpec where the directory cannot be read
 */
export async function openDirectory({
  dir,
  onProblem,
  signal,
  clock = systemClock,
}: DirectoryOptions): Promise<{ readonly client: KubeClient }> {
  const client = new MemoryKube({ uidOf: nameUid });
  const sync = new DirectorySync(dir, client, onProblem);
  try {
    await sync.run(signal);
  } catch (error) {
    if (signal.aborted) throw new CodedError("Aborted", `reading the directory ${dir} was stopped`, { cause: error });
    throw new CodedError("InvalidSpec", `the directory ${dir} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const follower = new Follower(clock, async () => await follow(sync, dir, onProblem, signal));
  follower.soon(pollMs);
  const stopWatching = watchFiles(dir, () => follower.changed());
  const stop = (): void => {
    stopWatching();
    follower.stop();
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return { client };
}

/** Returns after how long to look again. */
async function follow(
  sync: DirectorySync,
  dir: string,
  onProblem: (message: string) => void,
  signal: AbortSignal,
): Promise<number> {
  try {
    return (await sync.run(signal)) === "unfinished" ? longestDelayMs : pollMs;
  } catch (error) {
    // The objects stay: a directory that is gone for a moment is more likely than one that has lost its meaning.
    if (!signal.aborted) onProblem(`the directory ${dir} cannot be read: ${messageOf(error)}`);
    return pollMs;
  }
}

/** Where the system cannot watch, as when it has run out of watches, the poll has to do. */
function watchFiles(dir: string, onChange: () => void): () => void {
  try {
    const watcher = watch(dir, { recursive: true, persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}

/** Runs one thing at a time: some time after the last change, and now and then anyway. */
class Follower {
  readonly #clock: Clock;
  readonly #run: () => Promise<number>;
  #cancel: () => void = () => {};
  /** When the first of the changes came that wait. */
  #firstChange: number | undefined;
  #state: "waiting" | "running" | "stopped" = "waiting";

  constructor(clock: Clock, run: () => Promise<number>) {
    this.#clock = clock;
    this.#run = run;
  }

  changed(): void {
    this.#firstChange ??= this.#clock.now();
    const latest = this.#firstChange + longestDelayMs - this.#clock.now();
    if (this.#state === "waiting") this.soon(Math.max(0, Math.min(quietMs, latest)));
  }

  soon(milliseconds: number): void {
    this.#cancel();
    this.#cancel = this.#clock.after(milliseconds, () => void this.#now());
  }

  stop(): void {
    this.#state = "stopped";
    this.#cancel();
  }

  async #now(): Promise<void> {
    this.#state = "running";
    this.#firstChange = undefined;
    const next = await this.#run();
    if ((this.#state as string) === "stopped") return;
    this.#state = "waiting";
    this.soon(this.#firstChange === undefined ? next : quietMs);
  }
}

/** The same at every start: what is stored for an object of a file is still its own after a restart. */
function nameUid({ group, plural }: ResourceType, { namespace, name }: ObjectKey): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([group, plural, namespace, name]))
    .digest("hex");
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
