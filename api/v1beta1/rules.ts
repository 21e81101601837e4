import type { z } from "zod";

/**
 * A rule across fields. The API server judges it by `cel`, every other reader of manifests (`strata build`, `strata
 * serve`, the controller) by `holds`; config/testdata/crd keeps the two in step.
 */
export interface Rule<T> {
  readonly cel: string;
  readonly holds: (value: T) => boolean;
  /** What to write instead. */
  readonly message: string;
}

/** Marks `undefined` and the empty string alike: Flux's templates write `tag: ""` for "not set". */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== "";
}

/** `schema` with `rules` checked by zod and carried into the CRD. */
export function withRules<S extends z.ZodObject>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  const checked = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (!rule.holds(value)) context.addIssue({ code: "custom", message: rule.message });
    }
  });
  const validations = rules.map(({ cel, message }) => ({ rule: cel, message }));
  return checked.meta({ ...schema.meta(), "x-kubernetes-validations": validations });
}
