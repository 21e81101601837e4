import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { spaceOf } from "./space.ts";

it("is told of the volume in bytes", async () => {
  const { size, free } = await spaceOf(tmpdir());
  expect(size).toBeGreaterThan(1024 * 1024);
  expect(free).toBeGreaterThanOrEqual(0);
  expect(free).toBeLessThanOrEqual(size);
});

it("is not known of what is not there", async () => {
  await expect(spaceOf(join(tmpdir(), "strata-not-there"))).rejects.toThrow("ENOENT");
});
