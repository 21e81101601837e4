import type { ResourceType } from "../../../api/kinds.ts";
import { LRUCache } from "lru-cache";
import { codeOf } from "../../errors.ts";
import type { KubeClient, KubeObject } from "../client.ts";
import { systemClock, type Clock } from "../clock.ts";
import { Outbox, type OutboxLimits } from "./outbox.ts";
import { timestamp } from "../../text/kube-text.ts";
import { message as shown } from "../../text/printable.ts";

export const eventResource: ResourceType = Object.freeze({ group: "", version: "v1", plural: "events", kind: "Event" });

/** core/v1, ObjectReference. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

export interface EventDraft {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** core/v1, Event. */
export interface KubeEvent extends KubeObject {
  readonly involvedObject: ObjectReference;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly source: { readonly component: string };
  readonly reportingComponent: string;
  readonly reportingInstance: string;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
  readonly count: number;
}

export interface EventLimits extends OutboxLimits {
  /** So many events of an object are sent at once; then one each `refillMs`. */
  readonly burst: number;
  readonly refillMs: number;
  /** How many objects and events are remembered. */
  readonly maxRemembered: number;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly component: string;
  /** Which replica. */
  readonly instance: string;
  readonly limits: EventLimits;
  /** An event that was not recorded. */
  readonly onDrop: (error: unknown) => void;
  readonly clock?: Clock;
}

interface Occurrences {
  readonly key: string;
  readonly event: KubeEvent;
}

/** Bytes; the API server refuses more in a note of events.k8s.io, and core/v1 events are shown as such. */
const maxMessageBytes = 1024;
const fieldManager = "strata-events";

/**
 * Records Kubernetes Events in the background. An event that has been recorded before is counted up, one that comes too often for its
 * object is dropped.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #outbox: Outbox<Occurrences>;
  readonly #recorded: LRUCache<string, KubeEvent>;
  readonly #tokens: LRUCache<string, { readonly left: number; readonly at: number }>;
  #made = 0;

  constructor(options: EventRecorderOptions) {
    const { limits, onDrop, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#recorded = new LRUCache({ max: limits.maxRemembered });
    this.#tokens = new LRUCache({ max: limits.maxRemembered });
    this.#outbox = new Outbox<Occurrences>({
      send: async (item, signal) => await this.#send(item, signal),
      isTransient: (error) => codeOf(error) === "KubeUnreachable",
      onDrop,
      limits,
      clock,
    });
  }

  record(object: ObjectReference, draft: EventDraft): void {
    if (!this.#mayRecord(object)) return;
    const { type, reason } = draft;
    const message = shown(draft.message, maxMessageBytes);
    const key = JSON.stringify([object, type, reason, message]);
    this.#outbox.put(key, (waiting) => ({
      key,
      event: waiting === undefined ? this.#eventOf(object, { ...draft, message }) : this.#again(waiting.event, 1),
    }));
  }

  async close(graceMs: number): Promise<void> {
    await this.#outbox.close(graceMs);
  }

  /** A token bucket for each object. */
  #mayRecord({ kind, namespace, name, uid }: ObjectReference): boolean {
    const { burst, refillMs } = this.#options.limits;
    const key = uid ?? `${kind}/${namespace}/${name}`;
    const now = this.#clock.now();
    const { left, at } = this.#tokens.get(key) ?? { left: burst, at: now };
    const available = Math.min(burst, left + (now - at) / refillMs);
    this.#tokens.set(key, { left: available >= 1 ? available - 1 : available, at: now });
    return available >= 1;
  }

  #eventOf(involvedObject: ObjectReference, { type, reason, message, annotations }: EventDraft): KubeEvent {
    const { component, instance } = this.#options;
    const now = this.#clock.date();
    // As client-go names them: the object's name and a number that grows.
    const suffix = (BigInt(now.getTime()) * 1_000_000n + BigInt(this.#made++ % 1_000_000)).toString(16);
    const name = `${involvedObject.name.slice(0, 252 - suffix.length).replace(/[-.]+$/, "")}.${suffix}`;
    const metadata = { name, namespace: involvedObject.namespace, ...(annotations && { annotations }) };
    const times = { firstTimestamp: timestamp(now), lastTimestamp: timestamp(now), count: 1 };
    const reporter = { source: { component }, reportingComponent: component, reportingInstance: instance };
    return { apiVersion: "v1", kind: "Event", metadata, involvedObject, type, reason, message, ...reporter, ...times };
  }

  #again(event: KubeEvent, times: number): KubeEvent {
    return { ...event, count: event.count + times, lastTimestamp: timestamp(this.#clock.date()) };
  }

  async #send({ key, event }: Occurrences, signal: AbortSignal): Promise<void> {
    const before = this.#recorded.get(key);
    const sent =
      before === undefined
        ? undefined
        : await this.#countUp(
            { ...before, count: before.count + event.count, lastTimestamp: event.lastTimestamp },
            signal,
          );
    this.#recorded.set(key, sent ?? (await this.#create(event, signal)));
  }

  /** Undefined where the event has expired on the server. */
  async #countUp(event: KubeEvent, signal: AbortSignal): Promise<KubeEvent | undefined> {
    const { count, lastTimestamp, metadata } = event;
    try {
      await this.#options.client.patch(eventResource, metadata, { count, lastTimestamp }, { fieldManager }, signal);
      return event;
    } catch (error) {
      if (codeOf(error) === "NotFound") return undefined;
      throw error;
    }
  }

  async #create(event: KubeEvent, signal: AbortSignal): Promise<KubeEvent> {
    try {
      await this.#options.client.create(eventResource, event, signal);
    } catch (error) {
      // The answer to an earlier attempt was lost.
      if (codeOf(error) !== "KubeConflict") throw error;
    }
    return event;
  }
}
