import * as z from "zod";
import { list, stringMap, text } from "./fields.ts";
import type { Rule } from "./rules.ts";

const identity = {
  name: text("Name of the element, such as `deployment`.", 512).min(1),
  extraIdentity: stringMap(
    "Further attributes of its identity; every one must be there, such as `{os: linux}`. `{}` means the element that has none.",
  ).optional(),
};

const resourceSchema = z
  .strictObject({
    ...identity,
    version: text("Version of the resource, such as `1.2.0`, where its name alone does not tell it from others.", 128)
      .min(1)
      .optional(),
  })
  .describe("The resource to take, by its identity. More than one match is an error that lists them.");

const referenceSchema = z
  .strictObject({
    ...identity,
    version: text(
      "Version that is referred to, such as `1.2.0`, where the name alone does not tell the reference from others.",
      128,
    )
      .min(1)
      .optional(),
  })
  .describe("A component reference, by its identity.");

/** `spec.component`. */
export const componentSchema = z
  .strictObject({
    path: list(
      referenceSchema,
      "Component references to follow first: the component versions that they name lie under the same prefix as this one.",
      16,
    ).optional(),
    resource: resourceSchema,
  })
  .describe(
    "Says that what `ref` resolves to is an OCM component version (https://ocm.software), and which resource in it is meant. " +
      "`url` is `oci://HOST/PREFIX/component-descriptors/COMPONENT`; selectors then concern the resource.",
  );

/** A signature in a descriptor covers what the component version consists of, and nothing else of an artifact. */
export const signedComponent: Rule<{
  readonly verify?: { readonly provider: string } | undefined;
  readonly component?: unknown;
}> = {
  cel: "!has(self.verify) || self.verify.provider != 'ocm' || has(self.component)",
  holds: ({ verify, component }) => verify?.provider !== "ocm" || component !== undefined,
  message:
    "verify.provider ocm verifies an OCM component version; write component: {resource: {name: …}} to say what is taken from it",
};
