import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { CodedError, messageOf } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import { cutMiddle, printable, visibleJson } from "../text/printable.ts";

export type LogLevel = "trace" | "debug" | "info" | "error";
/** Codes, digests, names, numbers. Nobody hands over credentials, so nothing is searched for them. */
export type LogFacts = Readonly<Record<string, unknown>>;
export type Log = (level: LogLevel, message: string, facts?: LogFacts) => void;

export interface LogOptions {
  /** `--log-level`: trace, debug, info or error. */
  readonly level: string;
  /** `--log-encoding`: json, or console for people. */
  readonly encoding: string;
  /** What is reconciled, for the fields that Flux's controllers have. */
  readonly kind: { readonly group: string; readonly kind: string };
  /** Takes whole lines. Default: standard error. */
  readonly write?: (line: string) => void;
  readonly now?: () => Date;
}

export interface Logger {
  readonly log: Log;
  /** Everything that `work` logs is about this object, in one reconcile. */
  readonly within: <T>(key: ObjectKey, work: () => Promise<T>) => Promise<T>;
}

const levels: readonly string[] = ["trace", "debug", "info", "error"];
/** A message that lists candidates is long, but what somebody put into an annotation may be longer. */
const maxTextBytes = 16_384;
/** How long a line for people gets, with all its facts. Characters. */
const maxLineLength = 65_536;

/**
 * Logs a JSON object a line, in the shape of Flux's controllers: `level`, `ts`, `msg`, then the object that it is about, then the facts.
 * @throws InvalidSpec for a level or encoding that does not exist
 */
export function createLogger(options: LogOptions): Logger {
  const { level, encoding, kind, now = () => new Date() } = options;
  if (!levels.includes(level))
    throw new CodedError("InvalidSpec", `--log-level is "${level}"; it takes ${levels.join(", ")}`);
  if (encoding !== "json" && encoding !== "console")
    throw new CodedError("InvalidSpec", `--log-encoding is "${encoding}"; it takes json or console`);
  const context = new AsyncLocalStorage<LogFacts>();
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(encoding === "json" ? visibleJson(line) : forPeople(line)) },
  );
  return {
    log: (level, message, facts = {}) => {
      if (logger.isLevelEnabled(level))
        logger[level](
          { ...(context.getStore() ?? aboutObject(kind, facts)), ...plain(facts) },
          cutMiddle(message, maxTextBytes),
        );
    },
    within: async (key, work) =>
      await context.run({ ...aboutObject(kind, { ...key }), reconcileID: randomUUID() }, work),
  };
}

/** The fields with which controller-runtime says what a line is about. */
function aboutObject({ group, kind }: LogOptions["kind"], { namespace, name }: LogFacts): LogFacts {
  if (typeof namespace !== "string" || typeof name !== "string") return {};
  return {
    controller: kind.toLowerCase(),
    controllerGroup: group,
    controllerKind: kind,
    [kind]: { name, namespace },
    namespace,
    name,
  };
}

/** Errors are reduced to their messages: their other fields may hold a response or a request. */
function plain(facts: LogFacts): LogFacts {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return cutMiddle(messageOf(value), maxTextBytes);
  return typeof value === "string" ? cutMiddle(value, maxTextBytes) : value;
}

/** As zap's console encoding: time, level, message and the rest, with nothing in it that a terminal would obey. */
function forPeople(line: string): string {
  const { level, ts, msg, ...rest } = JSON.parse(line) as {
    readonly level: string;
    readonly ts: string;
    readonly msg: string;
  };
  const facts = Object.keys(rest).length === 0 ? [] : [visibleJson(JSON.stringify(rest))];
  return `${[ts, level.toUpperCase(), ...[msg, ...facts].map((text) => printable(text, maxLineLength))].join("\t")}\n`;
}
