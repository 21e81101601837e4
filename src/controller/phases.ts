import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { CodedError } from "../errors.ts";
import { inTime, seconds, stoppedInTime } from "../http/deadline.ts";
import { timeoutMs, transferMs, type Size } from "../pipeline/spec.ts";
import type { ReconcileContext } from "./memory.ts";
import type { Meter } from "./ports.ts";
import { counted } from "../text/count.ts";

type Stage = Parameters<Meter["stage"]>[0];
type Work<T> = (signal: AbortSignal) => Promise<T>;

/** The phases of a reconcile, each in its time. None begins after the object was edited or deleted. */
export class Phases {
  readonly #spec: ArtifactRepositorySpec;
  readonly #context: Pick<ReconcileContext, "deps" | "signal">;

  constructor(spec: ArtifactRepositorySpec, context: Pick<ReconcileContext, "deps" | "signal">) {
    this.#spec = spec;
    this.#context = context;
  }

  async timed<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    this.#context.signal.throwIfAborted();
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.#context.deps.meter.stage(stage, performance.now() - start);
    }
  }

  /** A phase that is all questions and answers: as long as `timeout` says. @throws RegistryTimeout, what the work throws */
  async asking<T>(stage: Stage, doing: string, work: Work<T>): Promise<T> {
    const ms = timeoutMs(this.#spec);
    const late = (): CodedError =>
      new CodedError("RegistryTimeout", `${doing} ${this.#spec.url} takes longer than timeout allows, ${seconds(ms)}`);
    return await this.timed(stage, async () => await inTime({ ms, late }, work, this.#context.signal));
  }

  /** A phase that moves content: as long as its size asks for. @throws RegistryTimeout, what the work throws */
  async moving<T>(stage: Stage, size: Size, work: Work<T>): Promise<T> {
    const ms = transferMs(size, timeoutMs(this.#spec));
    const late = (): CodedError =>
      new CodedError(
        "RegistryTimeout",
        `${counted(size.bytes, "byte")} of ${this.#spec.url} take longer than their size allows, ${seconds(ms)}`,
      );
    return await this.timed(stage, async () => await stoppedInTime({ ms, late }, work, this.#context.signal));
  }
}
