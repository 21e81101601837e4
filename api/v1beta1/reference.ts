import * as z from "zod";
import { localRef, text } from "./fields.ts";
import { isSet, withRules } from "./rules.ts";
import { re2, semverRange } from "./syntax.ts";

const filterTags = withRules(
  z
    .strictObject({
      pattern: text(
        "RE2 regular expression, such as `^main-[a-f0-9]+-(?P<ts>[0-9]+)$`; only tags that it matches are considered. `(?P<name>…)` and `(?<name>…)` name a group.",
      ).min(1),
      extract: text(
        "What the policy compares instead of the whole tag, made from the groups of the pattern: `$1` or `$ts`; braces may stand around the name.",
      ).optional(),
    })
    .describe("Narrows and rewrites the tags before the policy orders them, as in Flux's ImagePolicy."),
  [],
  [re2("pattern")],
);

const order = z.enum(["asc", "desc"]).default("asc");

const policy = withRules(
  z
    .strictObject({
      semver: withRules(
        z
          .strictObject({
            range: text("Semantic version range, such as `^1.x-0`; the highest version in it is taken.").min(1),
          })
          .describe("Takes the highest version within a range."),
        [],
        [semverRange("range", true)],
      ).optional(),
      numerical: z
        .strictObject({ order: order.describe("`asc` takes the largest number, `desc` the smallest.") })
        .describe("Orders the tags, or what was extracted from them, as numbers.")
        .optional(),
      alphabetical: z
        .strictObject({ order: order.describe("`asc` takes the last in the order of bytes, `desc` the first.") })
        .describe("Orders the tags, or what was extracted from them, as text.")
        .optional(),
    })
    .describe("Which tag to take, as in Flux's ImagePolicy."),
  [
    {
      cel: "(has(self.semver) ? 1 : 0) + (has(self.numerical) ? 1 : 0) + (has(self.alphabetical) ? 1 : 0) == 1",
      holds: ({ semver, numerical, alphabetical }) => [semver, numerical, alphabetical].filter(isSet).length === 1,
      message: "write exactly one of semver, numerical and alphabetical",
    },
  ],
);

/** `spec.ref`. Precedence: digest, then semver or policy, then tag; nothing means the tag `latest`. */
export const refSchema = withRules(
  z
    .strictObject({
      digest: z
        .string()
        .regex(/^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})?$/, "write sha256: and 64 lower-case hexadecimal digits")
        .describe("Digest of the manifest or index, `sha256:…`; takes precedence over everything else.")
        .optional(),
      tag: text(
        "Tag to follow, `latest` when nothing is said. `tag@sha256:…` names the tag and pins its digest.",
        256,
      ).optional(),
      semver: text(
        "Semantic version range (`>=1.0.0 <2.0.0`, `~1.4`, `1.x || 2.x`, `>=1.0.0-0` with pre-releases); takes precedence over tag.",
      ).optional(),
      semverFilter: text(
        "RE2 regular expression, such as `.*-rc.*`; only tags that it matches are considered for the semver range. Needs `semver` beside it.",
      ).optional(),
      filterTags: filterTags.optional(),
      policy: policy.optional(),
      imagePolicyRef: localRef(
        "A Flux ImagePolicy in the same namespace whose `status.latestRef` is followed.",
      ).optional(),
    })
    .describe("The tag, digest, range or policy to follow. Precedence: digest, then semver or policy, then tag."),
  [
    {
      cel: "!(has(self.semver) && self.semver != '' && has(self.policy))",
      holds: ({ semver, policy }) => !(isSet(semver) && isSet(policy)),
      message: "write either semver or policy, not both; policy.semver.range takes the same ranges",
    },
    {
      cel: "!(has(self.semverFilter) && self.semverFilter != '' && has(self.policy))",
      holds: ({ semverFilter, policy }) => !(isSet(semverFilter) && isSet(policy)),
      message: "semverFilter belongs to semver; with policy write filterTags.pattern instead",
    },
    {
      cel: "!has(self.filterTags) || has(self.policy)",
      holds: ({ filterTags, policy }) => !isSet(filterTags) || isSet(policy),
      message: "filterTags needs a policy beside it, such as policy: {numerical: {order: asc}}",
    },
    {
      cel:
        "!has(self.imagePolicyRef) || (!has(self.policy) && (!has(self.digest) || self.digest == '') && " +
        "(!has(self.tag) || self.tag == '') && (!has(self.semver) || self.semver == ''))",
      holds: ({ imagePolicyRef, digest, tag, semver, policy }) =>
        !isSet(imagePolicyRef) || ![digest, tag, semver, policy].some(isSet),
      message: "imagePolicyRef stands alone; remove digest, tag, semver and policy",
    },
    {
      field: "semverFilter",
      cel: "!has(self.semverFilter) || self.semverFilter == '' || has(self.policy) || (has(self.semver) && self.semver != '')",
      holds: ({ semverFilter, semver, policy }) => !isSet(semverFilter) || isSet(policy) || isSet(semver),
      message: "semverFilter narrows the tags that semver looks at; write semver beside it or remove semverFilter",
    },
  ],
  [semverRange("semver"), re2("semverFilter")],
);
