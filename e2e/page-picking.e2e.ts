import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { defaultLimits } from "../src/config.ts";
import { explore } from "../src/explore/explore.ts";
import type { Repository } from "../src/oci/content.ts";
import { browserPath, launchBrowser, openFile } from "../src/testing/browser.ts";
import { descriptorOf, componentArtifact, localResource } from "../src/testing/ocm.ts";
import { MemoryRepository } from "../src/testing/registry/memory-repository.ts";
import { pageOf } from "../src/cli/html/page.ts";
import { openPages } from "./pages.ts";

const signal = new AbortController().signal;
const component = "fx/component-descriptors/fx.example/app:1.0.0";
const { registry, dir, write } = await openPages();

/** The page of an index with so many manifests. */
async function pageOfMany(count: number): Promise<string> {
  const repository = new MemoryRepository();
  const config = repository.blob("{}", "application/vnd.oci.empty.v1+json");
  const manifests = Array.from({ length: count }, (_, at) => ({
    ...repository.manifest({ config, layers: [repository.blob(`layer ${at}`, "text/plain")] }),
    annotations: { "org.opencontainers.image.ref.name": `app-${at}` },
  }));
  const root = repository.manifest({ manifests });
  const source = repository as unknown as Repository;
  const explored = await explore(source, root, { referrers: false, limits: defaultLimits, signal });
  return pageOf(explored, { kind: "registry", registry: "h", repository: "many", tag: "1" }, false);
}

describe("a large index", () => {
  it("of 5,000 manifests is a page that starts with its groups", { timeout: 60_000 }, async () => {
    const page = await pageOfMany(5000);
    expect(page.match(/data-manifest="/g)).toHaveLength(5000);
    expect(page.match(/<li class="node group closed"/g)).toHaveLength(100);
    expect(page.match(/<li class="node manifest closed"/g)).toHaveLength(5000);
    expect(page).toContain("4951–5000 of 5000");
    expect(page).toContain("name one of its children by ref.digest");
  });
});

describe.skipIf(browserPath === undefined)("in Chromium", () => {
  let browser: Browser;
  const troubles: string[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => await browser.close());
  afterEach(() => expect(troubles.splice(0)).toEqual([]));

  const open = async (file: string, options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> =>
    await openFile(browser, file, troubles, options);
  const textOf = async (page: Page, id: string): Promise<string> => (await page.locator(`#${id}`).textContent()) ?? "";
  const heightOf = async (page: Page): Promise<number> => await page.evaluate("document.documentElement.scrollHeight");

  /** Every object on the page, which the API accepts. */
  async function specsOf(page: Page): Promise<Record<string, unknown>[]> {
    return parseAllDocuments(await textOf(page, "manifest")).map((document) => {
      const object = document.toJS() as { metadata: { name: string }; spec: Record<string, unknown> };
      expect(parseArtifactRepository(object)).toHaveProperty("resource");
      const { ref, component, indexSelector, layerSelector } = object.spec;
      return JSON.parse(
        JSON.stringify({ name: object.metadata.name, ref, component, indexSelector, layerSelector }),
      ) as Record<string, unknown>;
    });
  }

  it.each([
    ["light", 390, component],
    ["light", 390, "image:1.0.0"],
    ["dark", 1280, "product:1.0.0"],
  ] as const)(
    "axe finds nothing wrong: %s, %i pixels, %s",
    { timeout: 60_000 },
    async (colorScheme, width, reference) => {
      const page = await open(await write(reference), { colorScheme, viewport: { width, height: 800 } });
      await page.locator("[data-manifest]").first().check();
      await page.evaluate(axe.source);
      const audit = async (): Promise<unknown> =>
        await page.evaluate(
          "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))",
        );
      expect(await audit()).toEqual([]);
      await page.locator(".more").first().click();
      expect(await audit(), "details").toEqual([]);
      await page.close();
    },
  );

  it("keeps the selection in view, however far down the page is", async () => {
    const page = await open(await write("product:1.0.0"), { viewport: { width: 390, height: 700 } });
    await page.locator("[data-manifest='0']").check();
    expect(await heightOf(page)).toBeGreaterThan(700);
    for (const y of [0, 100_000]) {
      await page.evaluate(`scrollTo(0, ${y})`);
      const box = (await page.locator("#bar").boundingBox())!;
      expect(Math.round(box.y + box.height)).toBe(700);
      expect(box.height).toBeLessThan(140);
    }
    await page.evaluate("scrollTo(0, 0)");
    await page.getByRole("link", { name: "Manifest", exact: true }).click();
    await expect.poll(async () => (await page.locator("#selection").boundingBox())!.y).toBeLessThan(600);
    await page.close();
  });

  it("stands in columns, and is one stop of the Tab key", async () => {
    const page = await open(await write("product:1.0.0"));
    const places: number[][] = await page.evaluate(
      "[...document.querySelectorAll('#tree .row')].map((row) => [row.children[1].getBoundingClientRect().left, row.children[2].getBoundingClientRect().right].map(Math.round))",
    );
    expect(places.length).toBeGreaterThan(10);
    expect(new Set(places.map(String)).size).toBe(1);
    expect(await page.locator("#tree [tabindex='0']").count()).toBe(1);
    expect(await page.locator("#tree :is(input, button):not([tabindex]):not([disabled])").count()).toBe(0);
    await page.close();
  });

  it("shows 300 manifests in little room, and finds one of them", { timeout: 60_000 }, async () => {
    const file = join(dir, "many.html");
    await writeFile(file, await pageOfMany(300));
    const page = await open(file, { viewport: { width: 390, height: 800 } });
    expect(await heightOf(page)).toBeLessThan(2000);
    const rows = page.locator("#tree .manifest");
    expect(await rows.locator("visible=true").count()).toBe(0);
    await page.getByRole("button", { name: "51–100 of 300" }).click();
    expect(await rows.locator("visible=true").count()).toBe(50);
    await page.getByLabel("Filter the contents").fill("APP-217");
    expect(await textOf(page, "found")).toBe("1 row found");
    expect(await rows.locator("visible=true").count()).toBe(1);
    await page.locator("[data-manifest='217']").check();
    expect(await specsOf(page)).toMatchObject([
      { indexSelector: { annotations: { "org.opencontainers.image.ref.name": "app-217" } } },
    ]);
    await page.getByLabel("Filter the contents").fill("");
    expect(await rows.locator("visible=true").count()).toBe(50);
    expect(await page.locator(".group.picked").count()).toBe(1);
    await page.close();
  });

  it("writes an object for each where no single one takes what is picked", async () => {
    const page = await open(await write("product:1.0.0"));
    await page.locator("[data-layer='0']").check();
    expect(await page.locator("#split").isVisible()).toBe(false);
    await page.locator("[data-layer='4']").check();
    await page.getByLabel("Operation").selectOption("Extract");
    expect(await textOf(page, "summary")).toMatch(/^Extract takes one layer/);
    await page.getByRole("button", { name: "One object for each" }).click();
    expect(await textOf(page, "summary")).toBe("2 layers of 2 manifests, as 2 objects");
    expect((await specsOf(page)).map(({ name }) => name)).toEqual(["product-1", "product-2"]);
    await page.locator("[data-layer='1']").check();
    expect(await textOf(page, "manifest")).toBe("");
    await page.close();
  });

  it("takes resources of an OCM component version", async () => {
    const page = await open(await write(component));
    const take = async (name: string): Promise<void> => await page.getByLabel(name).check();
    await take("config 1.0.0 (env=dev)");
    const ref = { tag: "1.0.0" };
    const config = { ref, component: { resource: { name: "config", extraIdentity: { env: "dev" } } } };
    expect(await specsOf(page)).toEqual([{ name: "app", ...config }]);
    await take("helm 0.1.0");
    expect(await textOf(page, "summary")).toMatch(/^An object takes one resource/);
    await page.getByRole("button", { name: "One object for each" }).click();
    const helm = { name: "app-2", ref, component: { resource: { name: "helm" } } };
    expect(await specsOf(page)).toEqual([{ name: "app-1", ...config }, helm]);
    await page.getByLabel("config 1.0.0 (env=dev)").uncheck();
    expect(await specsOf(page)).toEqual([{ ...helm, name: "app" }]);
    expect(parse(await textOf(page, "consumer-manifest"))).toMatchObject({
      kind: "HelmRelease",
      spec: { chartRef: { kind: "ExternalArtifact", name: "app" } },
    });
    await page.close();
  });

  it("offers no resource that cannot be read or told apart", async () => {
    const odd = { name: "odd", version: "1.0.0", type: "blob", relation: "external", access: { type: "wget/v1" } };
    const same = localResource("same", "x");
    const resources = [odd, same, same, localResource("fine", "y")];
    registry.store.putArtifact("odd", { tag: "1", ...componentArtifact(descriptorOf({ resources }), ["x", "y"]) });
    const page = await open(await write("odd:1"));
    expect(await page.locator("[data-resource]").count()).toBe(1);
    expect(await page.locator("#tree").textContent()).toMatch(/access type wget\/v1, which is not read here/);
    await page.getByLabel("fine 1.0.0").check();
    expect(await specsOf(page)).toMatchObject([{ component: { resource: { name: "fine" } } }]);
    await page.close();
  });

  it("says what applies it, and prints what is picked", async () => {
    const page = await open(await write("flux/app:1.0.0"));
    const [object, consumer] = [await textOf(page, "manifest"), await textOf(page, "consumer-manifest")];
    expect(parse(consumer)).toMatchObject({ kind: "Kustomization", spec: { sourceRef: { name: "app" } } });
    expect(await textOf(page, "command")).toBe(`kubectl apply -f - <<'EOF'\n${object}---\n${consumer}EOF\n`);
    await page.locator("#consumer").selectOption("none");
    expect(await page.locator("#consumed").isVisible()).toBe(false);
    expect(await textOf(page, "command")).toBe(`kubectl apply -f - <<'EOF'\n${object}EOF\n`);
    await page.emulateMedia({ media: "print" });
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    expect(await page.locator("#picked li").allTextContents()).toEqual([expect.stringContaining("layer 0")]);
    for (const id of ["picked", "manifest", "summary"]) expect(await page.locator(`#${id}`).isVisible()).toBe(true);
    for (const id of ["tree", "filter", "copy"]) expect(await page.locator(`#${id}`).isVisible()).toBe(false);
    await page.close();
  });
});
