import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDirectory } from "../disk/make-directory.ts";
import { CodedError, messageOf } from "../errors.ts";
import { unlessAborted } from "../http/abort.ts";
import { seconds, stoppedInTime } from "../http/deadline.ts";
import { parseJsonObject } from "../text/json.ts";
import { assertTrustedRoot, embeddedRoot, publicAnchor } from "../verify/cosign/trusted-root.ts";
import { refreshRoot, type RefreshOptions, targetName, workPrefix } from "./refresh.ts";

export interface PublicRootOptions extends Omit<RefreshOptions, "anchor"> {
  /** The `root.json` by which the mirror is trusted; undefined: that of the public Sigstore. */
  readonly anchor: Uint8Array | undefined;
  /** Of all mirrors and anchors; each has a directory of its own below it. */
  readonly directory: string;
  readonly now: () => number;
  /** Told of what is found on disk, and of every refresh. Must not fail. */
  readonly report: (state: RootState) => void;
}

export interface RootState {
  /** Milliseconds since the epoch; undefined where no refresh has ever worked. */
  readonly refreshedAt: number | undefined;
  /** `slow`: a refresh goes on that nobody waits for any longer. */
  readonly result: "found" | "success" | "failure" | "slow";
  readonly error?: unknown;
}

interface Kept {
  readonly json: string | undefined;
  readonly refreshedAt: number | undefined;
  readonly attemptedAt: number | undefined;
}

const stateName = "refreshed.json";
const staleMs = 3_600_000;

/**
 * The trusted root of the public Sigstore, or of another that is kept by TUF: refreshed when somebody needs it and the last
 * refresh is a day old. No failure takes the last good one away. Until a refresh has worked, the public Sigstore's is the one
 * that came along; of another there is none.
 */
export class PublicRoot {
  readonly #options: PublicRootOptions;
  readonly #stopping: AbortSignal;
  #directory = "";
  #anchor: Uint8Array = new Uint8Array();
  #kept: Kept = { json: undefined, refreshedAt: undefined, attemptedAt: undefined };
  #loading: Promise<void> | undefined;
  /** Of the last refresh. */
  #error: unknown;
  /** While a refresh runs: ends with it, or when nobody should wait for it any longer. */
  #waiting: Promise<unknown> | undefined;

  /** @param stopping ends what is under way */
  constructor(options: PublicRootOptions, stopping: AbortSignal) {
    this.#options = options;
    this.#stopping = stopping;
  }

  /**
   * @returns `trusted_root.json`
   * @throws DependencyNotReady where no refresh has ever worked, and nothing came along; Aborted
   */
  async current(signal: AbortSignal): Promise<string> {
    const { mirror, limits } = this.#options;
    const giveUp = (): CodedError => new CodedError("Aborted", "waiting for the trusted root was aborted");
    await (this.#loading ??= this.#load());
    if (this.#isDue()) this.#waiting ??= this.#start();
    if (this.#waiting !== undefined) await unlessAborted(this.#waiting, signal, giveUp);
    const { json } = this.#kept;
    if (json !== undefined) return json;
    const why = this.#error === undefined ? `no answer within ${seconds(limits.waitMs)}` : messageOf(this.#error);
    throw new CodedError("DependencyNotReady", `there is no trusted root yet, ${mirror} could not be read: ${why}`, {
      cause: this.#error,
    });
  }

  #isDue(): boolean {
    const { json, refreshedAt, attemptedAt } = this.#kept;
    const { limits, now } = this.#options;
    // A clock that was set back makes it due.
    const isWithin = (at: number | undefined, ms: number): boolean =>
      at !== undefined && at <= now() && now() < at + ms;
    const pauseMs = json === undefined ? limits.waitMs : limits.retryMs;
    return !isWithin(refreshedAt, limits.refreshMs) && !isWithin(attemptedAt, pauseMs);
  }

  #start(): Promise<unknown> {
    const { limits, report } = this.#options;
    let isDone = false;
    const work = this.#refresh().finally(() => {
      isDone = true;
      this.#waiting = undefined;
    });
    const patience = sleep(limits.waitMs, undefined, { ref: false }).then(() => {
      if (!isDone && !this.#stopping.aborted) report({ result: "slow", refreshedAt: this.#kept.refreshedAt });
    });
    return Promise.race([work, patience]);
  }

  async #refresh(): Promise<void> {
    const { limits, now, report, mirror } = this.#options;
    const { json: last, refreshedAt } = this.#kept;
    const late = (): CodedError =>
      new CodedError("RegistryTimeout", `${mirror} was not read within ${seconds(limits.timeoutMs)}`);
    try {
      await makeDirectory(this.#directory, 0o700);
      // Before it ends: a process that gives up on a mirror that hangs must not ask it at each start.
      await this.#save({ refreshedAt, attemptedAt: now() });
      const options = { ...this.#options, anchor: this.#anchor, directory: this.#directory };
      const json = await stoppedInTime(
        { ms: limits.timeoutMs, late },
        (signal) => refreshRoot(options, signal),
        this.#stopping,
      );
      this.#error = undefined;
      this.#kept = { json, refreshedAt: now(), attemptedAt: now() };
      report({ result: "success", refreshedAt: now() });
    } catch (error) {
      if (this.#stopping.aborted) return;
      this.#error = error;
      this.#kept = { json: last, refreshedAt, attemptedAt: now() };
      report({ result: "failure", refreshedAt, error });
    }
    await this.#save(this.#kept);
  }

  async #load(): Promise<void> {
    const { anchor, mirror, report } = this.#options;
    this.#anchor = anchor ?? (await publicAnchor());
    const id = createHash("sha256").update(`${mirror}\n`).update(this.#anchor).digest("hex");
    this.#directory = join(this.#options.directory, id.slice(0, 16));
    await this.#removeStale();
    const { refreshedAt, attemptedAt } = await readState(join(this.#directory, stateName));
    try {
      const json = await readFile(join(this.#directory, targetName), "utf8");
      await assertTrustedRoot(json);
      report({ result: "found", refreshedAt });
      this.#kept = { json, refreshedAt, attemptedAt };
    } catch {
      // Never refreshed here, or spoilt since.
      report({ result: "found", refreshedAt: undefined });
      const json = anchor === undefined ? await embeddedRoot() : undefined;
      const isSpoilt = refreshedAt !== undefined;
      this.#kept = { json, refreshedAt: undefined, attemptedAt: isSpoilt ? undefined : attemptedAt };
    }
  }

  /** What killed processes have left behind. */
  async #removeStale(): Promise<void> {
    for (const name of await readdir(this.#directory).catch(() => [])) {
      const path = join(this.#directory, name);
      const found = name.startsWith(workPrefix) ? await stat(path).catch(() => undefined) : undefined;
      if (found !== undefined && found.mtimeMs + staleMs < Date.now())
        await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** Where nothing can be written, the next process tries again. */
  async #save({ refreshedAt, attemptedAt }: Omit<Kept, "json">): Promise<void> {
    const part = join(this.#directory, `${stateName}.${process.pid}`);
    try {
      await writeFile(part, JSON.stringify({ refreshedAt, attemptedAt }));
      await rename(part, join(this.#directory, stateName));
    } catch {
      await rm(part, { force: true }).catch(() => undefined);
    }
  }
}

async function readState(path: string): Promise<Pick<Kept, "refreshedAt" | "attemptedAt">> {
  const time = (value: unknown): number | undefined =>
    typeof value === "number" && !Number.isNaN(new Date(value).getTime()) ? value : undefined;
  try {
    const state = parseJsonObject(await readFile(path, "utf8"));
    return { refreshedAt: time(state["refreshedAt"]), attemptedAt: time(state["attemptedAt"]) };
  } catch {
    return { refreshedAt: undefined, attemptedAt: undefined };
  }
}
