import { expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import { keylessPolicy } from "./policy.ts";
import { type Verification, verifyRootOrSelected } from "./verifier.ts";

const descriptor = (name: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${name.repeat(64)}`,
  size: 2,
});
const [root, first, second] = [descriptor("0"), descriptor("1"), descriptor("2")];
const good = (signer: string, changes: Partial<Verification> = {}): Verification => ({
  provider: "cosign",
  result: "verified",
  identity: `key ${signer}`,
  signature: undefined,
  warnings: [],
  validUntil: undefined,
  ...changes,
});
const unsigned = new CodedError("VerificationFailed", "no signature", { details: { signatures: 0 } });
const badlySigned = new CodedError("VerificationFailed", "bad signature", { details: { signatures: 1 } });

type Results = readonly (readonly [Descriptor, Verification | CodedError])[];

async function verify(results: Results, selected: readonly Descriptor[]): Promise<unknown> {
  const verifier = {
    verify: async ({ root: { digest } }: { root: Descriptor }): Promise<Verification> => {
      const found = results.find(([candidate]) => candidate.digest === digest)?.[1] ?? unsigned;
      if (found instanceof CodedError) throw found;
      return await Promise.resolve(found);
    },
  };
  const request = {
    repository: {} as Repository,
    root,
    policy: keylessPolicy([], undefined),
    signal: new AbortController().signal,
  };
  return await verifyRootOrSelected(verifier, request, async () => await Promise.resolve(selected)).catch(
    (error: unknown) => error,
  );
}

it("a signed root is enough", async () => {
  expect(
    await verify(
      [
        [root, good("a")],
        [first, badlySigned],
      ],
      [first],
    ),
  ).toEqual(good("a"));
});

it("where the root is unsigned, every selected manifest has to be signed", async () => {
  expect(
    await verify(
      [
        [first, good("a")],
        [second, good("a")],
      ],
      [first, second],
    ),
  ).toEqual(good("a"));
  expect(await verify([[first, good("a")]], [first, second])).toBe(unsigned);
  expect(
    await verify(
      [
        [first, good("a")],
        [second, badlySigned],
      ],
      [first, second],
    ),
  ).toBe(badlySigned);
});

it("puts together what is known of several", async () => {
  const all: Results = [
    [first, good("a", { warnings: ["x"], validUntil: 20 })],
    [second, good("b", { result: "ignored", warnings: ["y"], validUntil: 10 })],
  ];
  expect(await verify(all, [first, second])).toEqual(
    good("a", { identity: "key a; key b", result: "ignored", warnings: ["x", "y"], validUntil: 10 }),
  );
});

it("an unsigned root that is itself selected stays unsigned", async () => {
  expect(await verify([], [root])).toBe(unsigned);
  expect(await verify([], [])).toBe(unsigned);
});

it("a root with a bad signature is refused, whatever its children carry", async () => {
  expect(
    await verify(
      [
        [root, badlySigned],
        [first, good("a")],
      ],
      [first],
    ),
  ).toBe(badlySigned);
});

it("a registry that fails is not an unsigned root", async () => {
  const down = new CodedError("RegistryUnreachable", "down");
  expect(
    await verify(
      [
        [root, down],
        [first, good("a")],
      ],
      [first],
    ),
  ).toBe(down);
});
