import { expect, test } from "vitest";
import { parseChallenges } from "./challenge.ts";

const bearer = (params: Record<string, string>): unknown => ({ scheme: "bearer", params });
const basic = (params: Record<string, string>): unknown => ({ scheme: "basic", params });

test.each<[string, string | undefined, unknown[]]>([
  ["nothing", undefined, []],
  ["one scheme alone", "Negotiate", [{ scheme: "negotiate", params: {} }]],
  ["Basic", 'Basic realm="x"', [basic({ realm: "x" })]],
  [
    "commas inside quotes",
    'Bearer realm="https://a/t",scope="repository:x:pull,push"',
    [bearer({ realm: "https://a/t", scope: "repository:x:pull,push" })],
  ],
  ["spaces anywhere", 'bearer  realm = "r" ,  service = s', [bearer({ realm: "r", service: "s" })]],
  ["names in any case", 'BEARER Realm="r",SERVICE="s"', [bearer({ realm: "r", service: "s" })]],
  ["escaped quotes", String.raw`Basic realm="say \"hi\\\", now"`, [basic({ realm: String.raw`say "hi\", now` })]],
  [
    "two challenges",
    'Basic realm="a, b", Bearer realm="r",service="s"',
    [basic({ realm: "a, b" }), bearer({ realm: "r", service: "s" })],
  ],
  [
    "two challenges, the first without parameters",
    'Negotiate, Basic realm="a"',
    [{ scheme: "negotiate", params: {} }, basic({ realm: "a" })],
  ],
  ["token68", 'NTLM TlRMTVNTUAAC==, Basic realm="a"', [{ scheme: "ntlm", params: {} }, basic({ realm: "a" })]],
  ["empty list elements", ', ,Basic realm="a",, charset="UTF-8",', [basic({ realm: "a", charset: "UTF-8" })]],
  ["a quote that never closes", 'Bearer realm="https://a', [bearer({})]],
  ["a prototype's name", 'Bearer __proto__="x"', [bearer({ ["__proto__"]: "x" })]],
])("%s", (_, header, expected) => {
  const found = parseChallenges(header);
  expect(found.map(({ scheme, params }) => ({ scheme, params: Object.fromEntries(Object.entries(params)) }))).toEqual(
    (expected as { scheme: string; params: object }[]).map(({ scheme, params }) => ({
      scheme,
      params: Object.fromEntries(Object.entries(params)),
    })),
  );
});

test("a hostile header takes no time", () => {
  const started = performance.now();
  for (const header of [
    `Bearer ${'a="'.repeat(100_000)}`,
    " ,".repeat(100_000),
    `Bearer a="${"\\".repeat(100_000)}`,
    "a ".repeat(100_000),
  ])
    parseChallenges(header);
  expect(performance.now() - started).toBeLessThan(500);
});
