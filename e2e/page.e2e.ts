import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { browserPath, launchBrowser, openFile } from "../src/testing/browser.ts";
import { treePageArgs, treePagePath } from "../src/testing/tree-page.ts";
import { openPages } from "./pages.ts";

const run = promisify(execFile);
const bundle = join(import.meta.dirname, "../dist/strata.js");
const title = "org.opencontainers.image.title";

const { registry, dir, write: writePage } = await openPages();

/** Writes a page, by a program other than this one where it is given. */
async function write(reference: string, program?: string): Promise<string> {
  if (program === undefined) return await writePage(reference);
  const file = treePagePath(dir, reference);
  await run(process.execPath, [program, ...treePageArgs(registry.host, file, reference)], { env: { HOME: dir } });
  return file;
}

/** A hostile artifact: text that would be markup, script or the end of one. */
function addHostile(): void {
  const text = '</script><img src="http://192.0.2.1/x" onerror="document.title=\'owned\'"><!--\u202e';
  const annotations = { [title]: text, [`role" onclick="x`]: text };
  registry.store.putArtifact("hostile", {
    tag: "1",
    artifactType: text,
    config: { mediaType: `text/${text}`, bytes: Buffer.from("{}") },
    layers: [{ mediaType: "text/plain", bytes: Buffer.from("x"), annotations }],
    annotations,
  });
}

describe.skipIf(browserPath === undefined)("in Chromium", () => {
  let browser: Browser;
  const troubles: string[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => await browser.close());
  afterEach(() => expect(troubles.splice(0)).toEqual([]));

  async function open(
    reference: string,
    options: Parameters<Browser["newPage"]>[0] & { program?: string } = {},
  ): Promise<Page> {
    const { program, ...rest } = options;
    const file = await write(reference, program);
    return await openFile(browser, file, troubles, rest);
  }

  const manifestOf = async (page: Page) => (await page.locator("#manifest").textContent()) ?? "";
  /** The spec in the page, which the API accepts; without what is the same for every artifact here. */
  async function specOf(page: Page): Promise<Record<string, unknown>> {
    const object = parse(await manifestOf(page)) as { spec: Record<string, unknown> };
    expect(parseArtifactRepository(object)).toHaveProperty("resource");
    const { url, insecure, interval, ...rest } = object.spec;
    expect([String(url).startsWith(`oci://${registry.host}/`), insecure, interval]).toEqual([true, true, "10m"]);
    return rest;
  }

  it("starts with what is taken without any selector", async () => {
    const page = await open("image:1.0.0");
    expect(await page.locator("[data-layer]:checked").count()).toBe(3);
    expect(await page.locator(".usual").count()).toBe(4);
    expect(await page.locator("#summary").textContent()).toMatch(/without any selector/);
    expect(await specOf(page)).toEqual({ ref: { tag: "1.0.0" } });
    await page.close();
  });

  it("turns clicks into a manifest", async () => {
    const page = await open("product:1.0.0");
    expect(await manifestOf(page)).toBe("");
    expect(await page.locator("#copy").isVisible()).toBe(false);
    await page.getByRole("checkbox", { name: "Take manifest application/vnd.timoni.config.v1+json" }).check();
    expect(await specOf(page)).toEqual({
      ref: { tag: "1.0.0" },
      indexSelector: { artifactType: "application/vnd.timoni.config.v1+json" },
    });
    await page.getByText("module/vendor").click();
    expect(await specOf(page)).toMatchObject({
      layerSelector: { annotations: { "sh.timoni.content.type": "module" } },
    });
    expect(await page.locator("[data-manifest]:indeterminate").count()).toBe(1);
    await page.getByLabel("Operation").selectOption("Copy");
    expect(await specOf(page)).toMatchObject({ layerSelector: { operation: "Copy" } });
    await page.getByRole("button", { name: "Clear" }).click();
    expect(await page.locator("#summary").textContent()).toBe("Pick a manifest or a layer.");
    await page.close();
  });

  it("goes back to the default, and says what no selector can say", async () => {
    const page = await open("oras/files:1.0.0");
    await page.locator("[data-layer='0']").uncheck();
    await page.getByLabel("Operation").selectOption("Extract");
    expect(await page.locator("#summary").textContent()).toMatch(/^Extract takes one layer/);
    expect(await manifestOf(page)).toBe("");
    await page.getByRole("button", { name: "Default", exact: true }).click();
    expect(await specOf(page)).toEqual({ ref: { tag: "1.0.0" } });
    await page.close();
  });

  it("checks the fields of the form", async () => {
    const page = await open("flux/app:1.0.0");
    await page.getByLabel("Name", { exact: true }).fill("My App");
    expect(await page.locator("#summary").textContent()).toMatch(/^The name is/);
    await page.getByLabel("Name", { exact: true }).fill("my-app");
    await page.getByLabel("Namespace").fill("");
    await page.getByLabel("Interval").fill("1h30m");
    expect(parse(await manifestOf(page))).toMatchObject({ metadata: { name: "my-app" }, spec: { interval: "1h30m" } });
    await page.close();
  });

  it("is worked with the keyboard alone", async () => {
    const page = await open("helm/chart:0.1.0");
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("Skip to the selection");
    for (let step = 0; step < 2; step++) await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    expect(await page.locator("[data-layer]:checked").count()).toBe(0);
    await page.keyboard.press("ArrowLeft");
    expect(await page.locator("[data-layer='0']").isVisible()).toBe(false);
    await page.keyboard.press("ArrowDown");
    expect(await page.locator("[data-manifest='0']:focus").count()).toBe(1);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await page.locator("#details[open] dd").first().textContent()).toMatch(/^sha256:[0-9a-f]{64}$/);
    await page.keyboard.press("Escape");
    expect(await page.locator("#details[open]").count()).toBe(0);
    await page.keyboard.press("Space");
    expect(await page.locator("[data-layer='0']").isChecked()).toBe(true);
    expect(await specOf(page)).toMatchObject({
      layerSelector: { mediaType: "application/vnd.cncf.helm.chart.provenance.v1.prov" },
    });
    const outline = await page.evaluate(
      "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth",
    );
    expect(outline).toBe("solid2px");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowLeft");
    expect(await page.locator("[data-manifest='0']:focus").count()).toBe(1);
    await page.locator("#copy").focus();
    await page.keyboard.press("Enter");
    await expect.poll(async () => await page.locator("#status").textContent()).toMatch(/Copied|Ctrl\+C/);
    await page.close();
  });

  const focused = async (page: Page): Promise<string> => await page.evaluate("document.activeElement.textContent");

  it("copies the manifest, or marks it where the clipboard is closed", async () => {
    const page = await open("flux/app:1.0.0");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy manifest" }).click();
    await expect.poll(async () => await page.locator("#status").textContent()).toBe("Copied.");
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(await manifestOf(page));
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await page.getByRole("button", { name: "Copy manifest" }).click();
    await expect.poll(async () => await page.locator("#status").textContent()).toMatch(/Ctrl\+C/);
    expect(await page.evaluate("String(getSelection()).trim()")).toBe((await manifestOf(page)).trim());
    await page.close();
  });

  it("shows what is hostile as text", async () => {
    addHostile();
    const page = await open("hostile:1");
    expect(await page.locator("img, [onclick]").count()).toBe(0);
    expect(await page.title()).toContain("hostile:1");
    expect(await page.locator("strong").first().textContent()).toContain("</script><img");
    expect(await page.evaluate("document.body.innerText")).not.toContain("\u202e");
    expect(await specOf(page)).toEqual({ ref: { tag: "1" } });
    await page.locator("[data-layer='1']").check();
    await page.locator("[data-layer='0']").uncheck();
    expect(await manifestOf(page)).not.toContain("\u202e");
    await page.close();
  });

  it.each(["light", "dark"] as const)("is %s where that is preferred", async (colorScheme) => {
    const page = await open("product:1.0.0", { colorScheme });
    await page.getByRole("checkbox", { name: /linux\/arm64/ }).check();
    const ground: string = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    const brightness = Number(/rgb\((\d+)/.exec(ground)?.[1]);
    expect(brightness > 128).toBe(colorScheme === "light");
    await page.screenshot({ path: join(tmpdir(), `strata-page-${colorScheme}.png`) });
    await page.close();
  });

  it("fits into any window", async () => {
    const page = await open("product:1.0.0");
    await page.locator("[data-manifest='0']").check();
    for (const width of [360, 800, 1360, 2200]) {
      await page.setViewportSize({ width, height: 900 });
      expect(
        await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        `${width} pixels`,
      ).toBe(0);
    }
    await page.close();
  });

  it("works out of the minified bundle", async () => {
    const page = await open("product:1.0.0", { program: bundle });
    await page.getByRole("checkbox", { name: /linux\/arm64/ }).check();
    expect(await specOf(page)).toEqual({ ref: { tag: "1.0.0" }, indexSelector: { platform: "linux/arm64" } });
    await page.close();
  });
});
