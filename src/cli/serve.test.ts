import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runStrata, testIO } from "../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { runCommand } from "./run.ts";

let registry: TestRegistry;
let dir: string;
let manifests: string;
beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-serve-test-"));
  manifests = join(dir, "manifests");
  await mkdir(manifests);
});
afterEach(async () => {
  await Promise.all([registry.close(), rm(dir, { recursive: true, force: true })]);
});

async function put(name: string, spec: Record<string, unknown>): Promise<void> {
  const object = {
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name },
    spec: { interval: "1h", insecure: true, ...spec },
  };
  await writeFile(join(manifests, `${name}.yaml`), JSON.stringify(object));
}

interface Serving {
  readonly url: string;
  readonly oci: string | undefined;
  output(): string;
  /** What the command has said, once it says it. */
  said(text: string | RegExp): Promise<string>;
  stop(): Promise<number>;
}

async function waitFor<T>(what: string, look: () => T | undefined): Promise<T> {
  for (const deadline = Date.now() + 8000; Date.now() < deadline; await sleep(20)) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error(`waited in vain for ${what}`);
}

/** Runs while `use` does, on ports of its own. */
async function serving(args: readonly string[], use: (serving: Serving) => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const { io, written } = testIO({ signal: abort.signal });
  const ended = runCommand(["serve", "-f", manifests, "--listen", "127.0.0.1:0", ...args], io);
  const output = (): string => written().stdout;
  const said = async (text: string | RegExp): Promise<string> =>
    await waitFor(`${String(text)} in ${output()}`, () => output().match(text)?.[0]);
  try {
    const url = await Promise.race([
      said(/http:\/\/[^/]+/),
      ended.then((code) => Promise.reject(new Error(`ended with ${code}: ${written().stderr}`))),
    ]);
    const oci = args.includes("--oci-listen") ? (await said(/oci:\/\/[^/]+/)).replace("oci://", "") : undefined;
    const stop = async (): Promise<number> => {
      abort.abort(new DOMException("stopped by SIGTERM", "AbortError"));
      return await ended;
    };
    await use({ url, oci, output, said, stop });
  } finally {
    abort.abort(new DOMException("the test is over", "AbortError"));
    await ended;
  }
}

const latest = async ({ url }: Serving, name: string): Promise<Response> =>
  await fetch(`${url}/artifactrepository/default/${name}/latest.tar.gz`);
const digestOf = async (response: Response): Promise<string> =>
  `sha256:${createHash("sha256")
    .update(Buffer.from(await response.arrayBuffer()))
    .digest("hex")}`;

describe("strata serve", () => {
  it("serves what strata build makes, as a file and as a registry", async () => {
    await put("app", { url: `oci://${registry.host}/timoni/mod`, ref: { tag: "1.0.0" } });
    await serving(["--oci-listen", "127.0.0.1:0"], async (strata) => {
      await strata.said("✓ default/app: ");
      const built = JSON.parse(
        (
          await runStrata([
            "build",
            `oci://${registry.host}/timoni/mod:1.0.0`,
            "--insecure",
            "-o",
            join(dir, "out"),
            "--output",
            "json",
          ])
        ).stdout,
      ) as { digest: string };
      expect(await digestOf(await latest(strata, "app"))).toBe(built.digest);
      const pulled = await runStrata([
        "build",
        `oci://${strata.oci}/default/app`,
        "--insecure",
        "-o",
        join(dir, "pulled"),
        "--output",
        "json",
      ]);
      expect(JSON.parse(pulled.stdout)).toMatchObject({ digest: built.digest });
    });
  });

  it("makes a new revision when a file changes, and removes what is gone", async () => {
    const app = { url: `oci://${registry.host}/flux/app` };
    await put("app", { ...app, ref: { tag: "1.0.0" } });
    await serving([], async (strata) => {
      const [, first] = (await strata.said(/✓ default\/app: .*revision '1\.0\.0@(sha256:\w+)'/)).split("@");
      const before = await digestOf(await latest(strata, "app"));
      await put("app", { ...app, ref: { tag: "1.1.0" } });
      const [, second] = (await strata.said(/✓ default\/app: .*revision '1\.1\.0@(sha256:\w+)'/)).split("@");
      expect(second).not.toBe(first);
      expect(await digestOf(await latest(strata, "app"))).not.toBe(before);
      await put("another", { url: `oci://${registry.host}/helm/chart`, ref: { tag: "0.1.0" } });
      await strata.said("✓ default/another: ");
      await rm(join(manifests, "app.yaml"));
      await vi.waitFor(async () => expect((await latest(strata, "app")).status).toBe(404), 8000);
      expect((await latest(strata, "another")).status).toBe(200);
    });
  });

  it("tells of a bad document and a refusal, and goes on with the others", async () => {
    await put("app", { url: `oci://${registry.host}/flux/app`, ref: { tag: "1.0.0" } });
    await put("twin", { url: `oci://${registry.host}/twin`, ref: { tag: "1.0.0" } });
    await writeFile(join(manifests, "bad.yaml"), "kind: [\n");
    await serving([], async (strata) => {
      await strata.said(/^! bad\.yaml:\d+: .+$/m);
      await strata.said(/^✗ default\/twin: .*sha256:4958527f.*sha256:5cf2ae68.*$/m);
      await strata.said("✓ default/app: ");
      await put("late", { url: `oci://${registry.host}/kyverno/policies`, ref: { tag: "1.0.0" } });
      await strata.said("✓ default/late: ");
      expect(strata.output()).not.toContain("\u001B");
    });
  });

  it("ends with 0 when it is stopped, keeping what --storage names", async () => {
    await put("app", { url: `oci://${registry.host}/flux/app`, ref: { tag: "1.0.0" } });
    const storage = join(dir, "storage");
    await serving(["--storage", storage], async (strata) => {
      await strata.said("✓ default/app: ");
      expect(await strata.stop()).toBe(0);
      await expect(latest(strata, "app")).rejects.toThrow();
    });
    expect((await readdir(storage, { recursive: true })).some((name) => name.endsWith(".tar.gz"))).toBe(true);
    const asked = registry.requests.length;
    await serving(["--storage", storage], async (strata) => {
      expect((await latest(strata, "app")).status).toBe(200);
      await vi.waitFor(() => expect(registry.requests.length).toBeGreaterThan(asked), 8000);
    });
  });

  it("leaves nothing behind where no storage is named", async () => {
    vi.stubEnv("TMPDIR", dir);
    try {
      await serving([], async (strata) => {
        expect((await readdir(dir)).length).toBeGreaterThan(1);
        expect(await strata.stop()).toBe(0);
      });
      expect(await readdir(dir)).toEqual(["manifests"]);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("a start that fails", () => {
  it("because the command was stopped is not a failure", async () => {
    expect(
      await runStrata(["serve", "-f", manifests, "--listen", "127.0.0.1:0"], {
        signal: AbortSignal.abort(new DOMException("stopped", "AbortError")),
      }),
    ).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it.each<[string, string[], RegExp]>([
    ["no directory", [], /-f DIR/],
    ["a reference", ["-f", ".", "oci://a.example/b"], /oci:\/\/a\.example\/b/],
    ["no number", ["-f", ".", "--concurrent", "many"], /from 1 to 100/],
    ["too many", ["-f", ".", "--concurrent", "1000"], /from 1 to 100/],
    [
      "an address that is none",
      ["-f", "none", "--listen", "nowhere"],
      /--listen: "nowhere" is not an address to listen on/,
    ],
    ["another", ["-f", "none", "--oci-listen", "1.2.3.4"], /--oci-listen: "1\.2\.3\.4" is not an address to listen on/],
  ])("%s: exit code 2", async (_, args, sentence) => {
    const { code, stderr } = await runStrata(["serve", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(sentence);
  });

  it.each<[string, () => Promise<string[]>]>([
    ["a directory that is missing", async () => ["-f", join(dir, "none")]],
    [
      "a file",
      async () => {
        await writeFile(join(dir, "file.yaml"), "");
        return ["-f", join(dir, "file.yaml")];
      },
    ],
    [
      "storage that is a file",
      async () => {
        await writeFile(join(dir, "storage"), "");
        return ["-f", manifests, "--storage", join(dir, "storage")];
      },
    ],
  ])("%s: exit code 1 and a code", async (_, args) => {
    const { code, stderr } = await runStrata(["serve", "--listen", "127.0.0.1:0", ...(await args())]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[(?:InvalidSpec|StorageFailed)\]/);
  });

  it("on a port that is taken closes what it has opened", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const address = `127.0.0.1:${(free.address() as AddressInfo).port}`;
    await new Promise((resolve) => free.close(resolve));
    try {
      const { code, stderr } = await runStrata([
        "serve",
        "-f",
        manifests,
        "--listen",
        address,
        "--oci-listen",
        `127.0.0.1:${(taken.address() as AddressInfo).port}`,
      ]);
      expect(code).toBe(1);
      expect(stderr).toContain("[InvalidSpec]");
      await expect(fetch(`http://${address}/`)).rejects.toThrow();
    } finally {
      await new Promise((resolve) => taken.close(resolve));
    }
  });
});
