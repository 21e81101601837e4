import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry } from "../testing/registry/registry.ts";

describe("strata doctor", () => {
  it("prints a line a check, with Docker's credentials and without showing them", async () => {
    await using registry = await startRegistry({
      auth: { kind: "basic", accounts: { ann: { password: "secret-pw" } } },
    });
    registry.store.putArtifact("team/app", { tag: "v1" });
    const dir = await mkdtemp(join(tmpdir(), "strata-doctor-"));
    const auth = Buffer.from("ann:secret-pw").toString("base64");
    try {
      await writeFile(join(dir, "config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const args = ["doctor", "--insecure", "--write", `oci://${registry.host}/team/app:v1`];
      const text = await runStrata(args, { env: { DOCKER_CONFIG: dir } });
      expect(text).toMatchObject({ code: 0, stderr: "" });
      expect(text.stdout).toMatch(/^auth {7}ok {7}Basic → Strata sends /m);
      expect(text.stdout).toMatch(/^anonymous {2}limited {2}refused to strangers \[Unauthorized\] GET /m);
      const json = await runStrata([...args, "--output", "json"], { env: { DOCKER_CONFIG: dir } });
      const data = JSON.parse(json.stdout) as { checks: { name: string }[] };
      expect(data).toMatchObject({ repository: `${registry.host}/team/app`, reference: "v1", reads: true });
      expect(data.checks).toHaveLength(text.stdout.trim().split("\n").length);
      for (const output of [text.stdout, json.stdout]) expect(output).not.toMatch(new RegExp(`secret-pw|${auth}`));
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("ends with 1 where nothing can be read", async () => {
    await using registry = await startRegistry();
    const { code, stdout } = await runStrata(["doctor", "--insecure", `oci://${registry.host}/team/app`]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^read {7}FAILS {4}failed \[NotFound\] /m);
  });

  it.each([[[]], [["oci-layout://somewhere"]], [["oci://a.example/b", "oci://a.example/c"]]])(
    "takes no %j",
    async (args) => {
      const { code, stderr } = await runStrata(["doctor", ...args]);
      expect(code).toBe(2);
      expect(stderr).toContain("strata doctor --help");
    },
  );
});
