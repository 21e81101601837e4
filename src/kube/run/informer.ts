import type { ResourceType } from "../../../api/kinds.ts";
import { CodedError, codeOf, messageOf } from "../../errors.ts";
import type { KubeClient, KubeObject, ListOptions, ObjectKey, WatchEvent } from "../client.ts";
import { type Clock, sleep, systemClock } from "../clock.ts";

export interface InformerTuning {
  /** First pause after a failure; it doubles, with jitter, up to the longest. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** How often to look whether a kind that is missing has come. */
  readonly missingPollMs: number;
}

export interface InformerOptions<T extends KubeObject> extends InformerTuning, ListOptions {
  /** Makes an object smaller before it is kept; must keep its metadata. */
  readonly transform?: (object: T) => T;
  /** Told of every change, in order; `old` is what was kept before. What it throws is reported to `onError`. */
  readonly onChange?: (kind: "added" | "modified" | "deleted", object: T, old: T | undefined) => void;
  /** Told after a list that has succeeded where there was none before, or where the kind was missing. */
  readonly onListed?: () => void;
  /** Told of every failure, after each of which the informer goes on. */
  readonly onError?: (error: CodedError) => void;
  readonly clock?: Clock;
}

/** The objects of one type as the API server has them, a moment ago; while it cannot be reached, as it had them last. */
export interface Informer<T extends KubeObject> {
  /** Resolves with the first list, or where it is answered that the kind is missing, which proves nothing. @throws Aborted */
  readonly synced: Promise<void>;
  /** Whether a list has succeeded, and the kind has not been found missing since. */
  readonly available: boolean;
  readonly size: number;
  get(key: ObjectKey): T | undefined;
  list(): T[];
  /** Resolves once the signal has stopped it. */
  readonly stopped: Promise<void>;
}

/** Lists and watches until `signal` ends it. */
export function startInformer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  options: InformerOptions<T>,
  signal: AbortSignal,
): Informer<T> {
  return new Reflector(client, type, options, signal);
}

const nameOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;
/** So many failed watches in a row ask for a new list: the version may be one that this server never had, as after a restore. */
const watchesBeforeList = 3;

class Reflector<T extends KubeObject> implements Informer<T> {
  readonly synced: Promise<void>;
  readonly stopped: Promise<void>;
  readonly #client: KubeClient;
  readonly #type: ResourceType;
  readonly #options: InformerOptions<T>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #objects = new Map<string, T>();
  readonly #sync = Promise.withResolvers<void>();
  /** Where the next watch goes on; undefined asks for a list. */
  #version: string | undefined;
  #available = false;
  /** Failures since the last watch that lasted. */
  #failures = 0;
  /** How often in a row the kind was found missing. */
  #missing = 0;

  constructor(client: KubeClient, type: ResourceType, options: InformerOptions<T>, signal: AbortSignal) {
    this.#client = client;
    this.#type = type;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#signal = signal;
    this.synced = this.#sync.promise;
    // Whoever does not wait for it need not handle it either.
    this.synced.catch(() => {});
    this.stopped = this.#run();
  }

  get available(): boolean {
    return this.#available;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(nameOf(key));
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  async #run(): Promise<void> {
    while (!this.#signal.aborted) {
      const pauseMs = await this.#turn();
      if (pauseMs > 0) await sleep(this.#clock, pauseMs, this.#signal);
    }
    this.#sync.reject(new CodedError("Aborted", `the informer of ${this.#type.kind} was stopped`));
  }

  /** A list where one is needed, and a watch to its end; how long to wait before the next. */
  async #turn(): Promise<number> {
    try {
      if (this.#version === undefined) await this.#relist();
      const lasted = await this.#follow();
      // Servers end watches in time; one that does so at once is not asked again at once for ever.
      return lasted || this.#failures++ === 0 ? 0 : this.#backoffMs();
    } catch (error) {
      return this.#signal.aborted ? 0 : this.#recover(error);
    }
  }

  #recover(error: unknown): number {
    const failures = this.#failures++;
    if (codeOf(error) === "CrdMissing") return this.#lose();
    if (codeOf(error) === "KubeConflict") {
      // 410 Gone is what happens to who was away for long, and no failure.
      this.#version = undefined;
      return failures === 0 ? 0 : this.#backoffMs();
    }
    if (codeOf(error) !== "KubeUnreachable" || failures >= watchesBeforeList) this.#version = undefined;
    this.#report(error);
    const retryAfterMs = error instanceof CodedError ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(retryAfterMs, this.#backoffMs());
  }

  /** The kind is missing. What it had is forgotten once that is confirmed: a server that is just starting may not know it yet. */
  #lose(): number {
    this.#version = undefined;
    this.#failures = 0;
    this.#available = false;
    if (++this.#missing > 1) for (const [name, object] of this.#objects) this.#remove(name, object);
    this.#sync.resolve();
    return this.#options.missingPollMs;
  }

  #backoffMs(): number {
    const { minBackoffMs, maxBackoffMs } = this.#options;
    const longest = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#failures, 30));
    return Math.max(minBackoffMs, longest * (0.5 + Math.random() / 2));
  }

  async #relist(): Promise<void> {
    const { items, resourceVersion } = await this.#client.list<T>(this.#type, this.#options, this.#signal);
    this.#missing = 0;
    const vanished = new Map(this.#objects);
    for (const item of items) {
      vanished.delete(nameOf(item.metadata));
      this.#put(item);
    }
    for (const [name, object] of vanished) this.#remove(name, object);
    this.#version = resourceVersion;
    const isNews = !this.#available;
    this.#available = true;
    this.#sync.resolve();
    if (isNews) this.#call(() => this.#options.onListed?.());
  }

  /** Watches until the server ends it; whether that took so long that what failed before is forgiven. */
  async #follow(): Promise<boolean> {
    const options = { ...this.#options, resourceVersion: this.#version! };
    const startedAt = this.#clock.now();
    const lasts = (): boolean => {
      const lasting = this.#clock.now() - startedAt >= this.#options.maxBackoffMs;
      if (lasting) this.#failures = 0;
      return lasting;
    };
    for await (const event of this.#client.watch<T>(this.#type, options, this.#signal)) {
      this.#take(event);
      this.#version = event.object.metadata.resourceVersion ?? this.#version;
      lasts();
    }
    return lasts();
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === "BOOKMARK") return;
    if (type === "DELETED") this.#remove(nameOf(object.metadata), this.#reduced(object));
    else this.#put(object);
  }

  #put(received: T): void {
    const object = this.#reduced(received);
    const name = nameOf(object.metadata);
    const old = this.#objects.get(name);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      // Deleted and made anew while nobody watched: another object of the same name.
      this.#remove(name, old);
      this.#put(received);
      return;
    }
    if (old !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(name, object);
    this.#tell(old === undefined ? "added" : "modified", object, old);
  }

  #remove(name: string, last: T): void {
    const old = this.#objects.get(name);
    if (this.#objects.delete(name)) this.#tell("deleted", last, old);
  }

  #reduced(object: T): T {
    return this.#options.transform?.(object) ?? object;
  }

  #tell(kind: "added" | "modified" | "deleted", object: T, old: T | undefined): void {
    this.#call(() => this.#options.onChange?.(kind, object, old));
  }

  #call(told: () => void): void {
    try {
      told();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    const coded =
      error instanceof CodedError
        ? error
        : new CodedError("Internal", `the informer of ${this.#type.kind}: ${messageOf(error)}`, { cause: error });
    try {
      this.#options.onError?.(coded);
    } catch {
      // There is nobody left to tell.
    }
  }
}
