import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";

/** The browser of the machine; undefined where it has none. */
export const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: browserPath!, args: ["--no-sandbox"] });
}

/** Opens a page of this machine. What it says to its console, throws and asks a network for is added to `troubles`. */
export async function openFile(
  browser: Browser,
  file: string,
  troubles: string[],
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<Page> {
  const url = pathToFileURL(file).href;
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 }, ...options });
  page.on("console", (message) => troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("request", (request) => {
    if (request.url() !== url) troubles.push(request.url());
  });
  await page.goto(url);
  return page;
}
