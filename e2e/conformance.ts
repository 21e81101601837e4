import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { findOptional } from "./binaries.ts";
import type { Workspace } from "./workspace.ts";

const program = await findOptional("oci-conformance");

const run = promisify(execFile);

interface Manifest {
  readonly config: { readonly digest: string };
}

/**
 * Runs the distribution-spec's own conformance program on `repository` of a registry that takes nothing, so that it
 * looks at what is there: its part for pulling. Skipped where the program is missing.
 *
 * @param where `127.0.0.1:5000` and the repository's name; asked when the test runs
 */
export function itConforms(
  workspace: Workspace,
  where: () => { readonly host: string; readonly repository: string },
): void {
  it.skipIf(program === undefined)("passes the pull part of the distribution-spec's conformance tests", async () => {
    const { host, repository } = where();
    const response = await fetch(`http://${host}/v2/${repository}/manifests/latest`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    const { config } = (await response.json()) as Manifest;
    const { stdout } = await run(program ?? "", ["-ginkgo.no-color"], {
      // It writes its reports there.
      cwd: await workspace.directory("conformance"),
      env: {
        OCI_ROOT_URL: `http://${host}`,
        OCI_NAMESPACE: repository,
        OCI_TEST_PULL: "1",
        OCI_TAG_NAME: "latest",
        OCI_MANIFEST_DIGEST: response.headers.get("docker-content-digest") ?? "",
        OCI_BLOB_DIGEST: config.digest,
      },
      timeout: 60_000,
    }).catch((error: unknown) => error as { readonly stdout: string });
    const [, passed = "0", failed = "?"] = /(\d+) Passed.* (\d+) Failed/.exec(stdout) ?? [];
    expect({ failed, stdout: failed === "0" ? "" : stdout }).toEqual({ failed: "0", stdout: "" });
    expect(Number(passed)).toBeGreaterThan(10);
  });
}
