import { codeOf, type ErrorCode, messageOf } from "../errors.ts";
import type { HttpResponse } from "../registry/http-message.ts";
import { message, printable } from "../text/printable.ts";

/** `limited`: another way is taken. `skipped`: could not be asked about. */
export type Outcome = "ok" | "limited" | "fails" | "skipped";

/** One question to a registry, and its answer. */
export interface Check {
  /** `auth`, `head`, `range`, … */
  readonly name: string;
  readonly outcome: Outcome;
  /** What the registry has answered. */
  readonly found: string;
  /** What Strata does about it. */
  readonly strata: string;
  /** Why it fails. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export type Answer = Omit<Check, "name">;

export const answer = (outcome: Outcome, found: string, strata: string): Answer => ({ outcome, found, strata });

const maxMessageBytes = 2048;

/** Asks one question; a failure is an answer too, unless the whole was given up. */
export async function check(name: string, signal: AbortSignal, ask: () => Promise<Answer>): Promise<Check> {
  try {
    return { name, ...(await ask()) };
  } catch (error) {
    if (signal.aborted) throw error;
    return { name, ...failure(error) };
  }
}

export function failure(error: unknown): Answer {
  const text = message(messageOf(error), maxMessageBytes);
  return {
    outcome: "fails",
    found: "failed",
    strata: "reports it and tries again at the next interval",
    error: { code: codeOf(error), message: text },
  };
}

/** A header's value for people; undefined where it is missing. */
export function shown(response: HttpResponse, header: string): string | undefined {
  const value = response.header(header);
  return value === undefined ? undefined : printable(value, 100);
}
