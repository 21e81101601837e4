import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";
import { writeTreePage } from "../src/testing/tree-page.ts";

/** What the suites of the page have in common. */
export interface Pages {
  /** With the fixtures. */
  readonly registry: TestRegistry;
  /** Where the pages are written. */
  readonly dir: string;
  /** Writes the page of an artifact, and gives its path. */
  readonly write: (reference: string) => Promise<string>;
}

/** Call it at the top of a suite, at whose end everything is removed. */
export async function openPages(): Promise<Pages> {
  const registry = await startRegistry({ fixtures: true });
  const dir = await mkdtemp(join(tmpdir(), "strata-page-"));
  afterAll(async () => {
    await registry.close();
    await rm(dir, { recursive: true, force: true });
  });
  return { registry, dir, write: async (reference) => await writeTreePage(registry.host, dir, reference) };
}
