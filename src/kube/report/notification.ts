import { LRUCache } from "lru-cache";
import { CodedError, messageOf } from "../../errors.ts";
import { systemClock, type Clock } from "../clock.ts";
import type { ObjectReference } from "./events.ts";
import { Outbox, type OutboxLimits } from "./outbox.ts";
import { timestamp } from "../../text/kube-text.ts";
import { message as shown } from "../../text/printable.ts";

export interface Notification {
  /**
   * An Alert can name only Flux's own kinds; of what Strata makes these are ExternalArtifact and OCIRepository
   * (notification-controller, CrossNamespaceObjectReference).
   */
  readonly object: ObjectReference;
  readonly severity: "info" | "error";
  readonly reason: string;
  readonly message: string;
  /** Plain keys such as `revision` and `originRevision`; they are sent with the API group of the object in front, as Flux wants them. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Those of the object: what is below event.toolkit.fluxcd.io is passed on (Flux RFC-0008). */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface NotificationLimits extends OutboxLimits {
  readonly timeoutMs: number;
  /** An equal notification is not sent again within this time. */
  readonly duplicateMs: number;
  readonly maxRemembered: number;
}

export interface NotifierOptions {
  /** Address of Flux's notification-controller. */
  readonly url: string;
  readonly controller: string;
  /** Which replica. */
  readonly instance: string;
  readonly limits: NotificationLimits;
  /** A notification that was not sent. */
  readonly onDrop: (error: unknown) => void;
  readonly clock?: Clock;
}

interface Message {
  readonly key: string;
  readonly body: string;
}

const eventGroup = "event.toolkit.fluxcd.io/";
/** Characters that notification-controller takes. */
const maxMessageBytes = 39_000;

/** Sends events to Flux's notification-controller in the background, for its Alerts. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #url: URL;
  readonly #clock: Clock;
  readonly #sent: LRUCache<string, number>;
  readonly #outbox: Outbox<Message>;

  /** @throws InvalidSpec where the address is none */
  constructor(options: NotifierOptions) {
    const { url, limits, onDrop, clock = systemClock } = options;
    this.#options = options;
    this.#url = parseAddress(url);
    this.#clock = clock;
    this.#sent = new LRUCache({ max: limits.maxRemembered });
    this.#outbox = new Outbox<Message>({
      send: async ({ body }, signal) => await this.#post(body, signal),
      isTransient: (error) => error instanceof CodedError && error.code === "KubeUnreachable",
      onDrop: (error, message) => {
        if (message !== undefined) this.#sent.delete(message.key);
        onDrop(error);
      },
      limits,
      clock,
    });
  }

  send(notification: Notification): void {
    const { object, severity, reason } = notification;
    const metadata = metadataOf(notification);
    const message = shown(notification.message, maxMessageBytes);
    // What notification-controller tells duplicates by.
    const { revision, originRevision, token } = notification.metadata ?? {};
    const key = JSON.stringify([object.kind, object.namespace, object.name, message, originRevision, revision, token]);
    const now = this.#clock.now();
    const before = this.#sent.get(key);
    if (before !== undefined && now - before < this.#options.limits.duplicateMs) return;
    this.#sent.set(key, now);
    const { controller, instance } = this.#options;
    const reporter = { reportingController: controller, reportingInstance: instance };
    const body = JSON.stringify({
      involvedObject: object,
      severity,
      timestamp: timestamp(this.#clock.date()),
      message,
      reason,
      metadata,
      ...reporter,
    });
    this.#outbox.put(key, () => ({ key, body }));
  }

  async close(graceMs: number): Promise<void> {
    await this.#outbox.close(graceMs);
  }

  async #post(body: string, signal: AbortSignal): Promise<void> {
    const { origin, pathname } = this.#url;
    const status = await this.#statusOf(body, signal);
    // 429 is how notification-controller tells a duplicate.
    if ((status >= 200 && status < 300) || status === 429) return;
    throw new CodedError(
      status >= 500 ? "KubeUnreachable" : "KubeRejected",
      `${origin}${pathname} answered an event with HTTP ${status}`,
    );
  }

  async #statusOf(body: string, signal: AbortSignal): Promise<number> {
    const { origin, pathname } = this.#url;
    const timeout = AbortSignal.timeout(this.#options.limits.timeoutMs);
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        redirect: "manual",
        signal: AbortSignal.any([signal, timeout]),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      throw new CodedError(
        signal.aborted ? "Aborted" : "KubeUnreachable",
        `no event could be sent to ${origin}${pathname}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }
}

/** fetch itself says only that it has failed. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: unknown };
  return cause === undefined
    ? messageOf(error)
    : messageOf(cause) || String((cause as { readonly code?: unknown }).code);
}

function metadataOf({ object, metadata = {}, annotations = {} }: Notification): Record<string, string> {
  const group = object.apiVersion.includes("/") ? object.apiVersion.split("/")[0]! : "";
  const own = Object.entries(metadata).map(([key, value]) => [`${group}/${key}`, value] as const);
  return Object.fromEntries([...Object.entries(annotations).filter(([key]) => key.startsWith(eventGroup)), ...own]);
}

/** @throws InvalidSpec */
function parseAddress(address: string): URL {
  const url = URL.parse(address);
  const takes =
    "the address of notification-controller is an HTTP URL without user and password, such as http://notification-controller.flux-system.svc.cluster.local./";
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new CodedError("InvalidSpec", takes);
  return url;
}
