import type { z } from "zod";

/** A rule that the API server judges by `cel`. */
export interface ServerRule {
  readonly cel: string;
  /** What to write instead. */
  readonly message: string;
  /** The field that it is about, where it is about one alone. */
  readonly field?: string;
  /** Whether `cel` looks at `oldSelf`, which is an optional. */
  readonly seesOld?: boolean;
}

/**
 * A rule across fields. The API server judges it by `cel`, every other reader of manifests (`strata build`, `strata
 * serve`, the controller) by `holds`; config/testdata/crd keeps the two in step.
 */
export interface Rule<T> extends ServerRule {
  readonly holds: (value: T) => boolean;
}

/** Marks `undefined` and the empty string alike: Flux's templates write `tag: ""` for "not set". */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== "";
}

/**
 * `schema` with `rules` checked by zod and carried into the CRD.
 * @param syntax rules for the API server alone: the other readers parse the text itself, and say where it goes wrong
 */
export function withRules<S extends z.ZodObject>(
  schema: S,
  rules: readonly Rule<z.output<S>>[],
  syntax: readonly ServerRule[] = [],
): S {
  const checked = schema.superRefine((value, context) => {
    for (const { holds, message, field } of rules) {
      if (!holds(value)) context.addIssue({ code: "custom", message, ...(field !== undefined && { path: [field] }) });
    }
  });
  const validations = [...rules, ...syntax].map(validationOf);
  return checked.meta({ ...schema.meta(), "x-kubernetes-validations": validations });
}

/** A rule as a CRD has it. */
function validationOf({ cel, message, field, seesOld }: ServerRule): Readonly<Record<string, unknown>> {
  return {
    rule: cel,
    message,
    ...(field !== undefined && { fieldPath: `.${field}` }),
    ...(seesOld === true && { optionalOldSelf: true }),
  };
}
