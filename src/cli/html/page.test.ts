import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { writeTreePage } from "../../testing/tree-page.ts";
import { embeddedJson, markup } from "./markup.ts";
import { pageStyle } from "./page-style.ts";

let registry: TestRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-page-"));
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

describe("the page", () => {
  it("may run and style itself only, and asks nobody for anything", async () => {
    const page = await readFile(await writeTreePage(registry.host, dir, "product:1.0.0"), "utf8");
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1];
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'$/,
    );
    expect(page.match(/\b(?:src|href|action|url)\s*=?\s*[("']?(?:https?:|\/\/)/gi)).toBeNull();
    expect(page.match(/ (?:href|src)="(?!#)/g)).toBeNull();
  });

  it("has colours that can be read, by day and by night", () => {
    const [light, dark] = [pageStyle, pageStyle.slice(pageStyle.indexOf("@media"))].map((style) =>
      Object.fromEntries(
        [...style.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].toReversed().map(([, name, value]) => [name, value]),
      ),
    );
    const pairs = [
      ["ink", "ground"],
      ["ink", "panel"],
      ["quiet", "panel"],
      ["quiet", "ground"],
      ["quiet", "soft"],
      ["ink", "accent-soft"],
      ["quiet", "panel"],
      ["accent", "accent-soft"],
      ["accent", "panel"],
      ["panel", "accent"],
      ["warm", "warm-soft"],
      ["warm", "ground"],
    ] as const;
    for (const colours of [light!, dark!])
      for (const [text, ground] of pairs)
        expect(contrast(colours[text], colours[ground]), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });

  it("escapes every value that is not markup itself", () => {
    expect(markup`<p title="${`"'<>&\u202e`}">${1}${undefined}${[markup`<b>${"<"}</b>`]}</p>`.html).toBe(
      `<p title="&quot;&#39;&lt;&gt;&amp;\\u{202e}">1<b>&lt;</b></p>`,
    );
    expect(JSON.parse(embeddedJson({ a: "</script>\u2028&" }).html)).toEqual({ a: "</script>\u2028&" });
    expect(embeddedJson("</script><!--").html).not.toMatch(/[<>]/);
  });
});

/** WCAG 2.2, "contrast ratio". */
function contrast(first: string, second: string): number {
  const luminance = (colour: string): number => {
    const [red, green, blue] = [1, 3, 5]
      .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [darker, lighter] = [luminance(first), luminance(second)].toSorted((a, b) => a - b);
  return (lighter! + 0.05) / (darker! + 0.05);
}
