import { beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../src/testing/registry/proxy.ts";
import { dockerLogin, type Environment } from "./commands.ts";
import { manifestDigest, pushFixtures } from "./push.ts";
import { account, startRegistry, type Registry } from "./registry.ts";
import { freePort } from "./server.ts";
import { strata } from "./strata.ts";
import { startTokenServer } from "./token-server.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const wrongPassword = "correct-horse";

/** Shows what the others, which ask who is there, have in their storage. */
let open: Registry;
let token: Registry;
let keeper: Registry;
let login: Environment;
let wrong: Environment;

beforeAll(async () => {
  open = await startRegistry(workspace, { name: "open" });
  await pushFixtures(open);
  const { storage } = open;
  const tokens = await startTokenServer(workspace, account);
  [token, keeper] = await Promise.all([
    startRegistry(workspace, { name: "token", storage, auth: tokens, maxTags: 50 }),
    startRegistry(workspace, { name: "keeper", storage, auth: "htpasswd", delete: false }),
  ]);
  login = await dockerLogin(workspace, "docker", [token.host, keeper.host]);
  wrong = await dockerLogin(workspace, "wrong", [token.host, keeper.host], wrongPassword);
});

interface Check {
  readonly name: string;
  readonly outcome: "ok" | "limited" | "fails" | "skipped";
  readonly found: string;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Diagnosis {
  readonly code: number;
  readonly reference?: string;
  readonly reads: boolean;
  readonly outcomes: Readonly<Record<string, string>>;
  readonly checks: readonly Check[];
}

async function diagnose(reference: string, env: Environment, ...args: readonly string[]): Promise<Diagnosis> {
  const command = ["doctor", `oci://${reference}`, "--insecure", "--output", "json", ...args];
  const { code, stdout, stderr } = await strata(command, env);
  expect(stdout + stderr).not.toMatch(new RegExp(`${account.password}|${wrongPassword}`));
  const report = JSON.parse(stdout) as Omit<Diagnosis, "code" | "outcomes">;
  const outcomes = Object.fromEntries(report.checks.map(({ name, outcome }) => [name, outcome]));
  return { ...report, code, outcomes };
}

const reading = { auth: "ok", read: "ok", anonymous: "limited", head: "ok", digest: "ok", range: "ok", rate: "ok" };
const writing = { push: "ok", chunks: "ok", mount: "ok", manifest: "ok" };

describe("strata doctor", () => {
  it("sees what a registry with tokens can do, and changes nothing", async () => {
    const before = (await token.requests()).length;
    const { code, reads, outcomes, checks } = await diagnose(`${token.host}/flux/app:1.0.0`, login);
    expect({ code, reads, outcomes }).toMatchObject({
      code: 0,
      reads: true,
      outcomes: { ...reading, referrers: "limited" },
    });
    expect(checks.find(({ name }) => name === "auth")?.found).toContain("Bearer");
    expect(outcomes).not.toHaveProperty("push");
    const asked = (await token.requests()).slice(before);
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });

  it("takes a tag that is there where none is named", async () => {
    expect(await diagnose(`${keeper.host}/flux/app`, login)).toMatchObject({ code: 0, reads: true });
  });

  it("writes, and removes what it has written", async () => {
    const before = (await token.requests()).length;
    const { code, outcomes } = await diagnose(`${token.host}/flux/app:1.0.0`, login, "--write");
    expect({ code, outcomes }).toMatchObject({ code: 0, outcomes: { ...reading, ...writing, delete: "ok" } });
    const pushed = (await token.requests())
      .slice(before)
      .flatMap(({ method, path }) =>
        method === "PUT" ? (/manifests\/(strata-doctor-\w+)/.exec(path)?.[1] ?? []) : [],
      );
    expect(pushed).toHaveLength(1);
    expect(await manifestDigest(open, "flux/app", pushed[0]!)).toBeUndefined();
  });

  it("names what stays where nothing can be deleted", async () => {
    const { code, outcomes, checks } = await diagnose(`${keeper.host}/flux/app:1.0.0`, login, "--write");
    expect({ code, outcomes }).toMatchObject({ code: 0, outcomes: writing });
    expect(outcomes["delete"]).not.toBe("ok");
    expect(checks.find(({ name }) => name === "delete")?.found).toMatch(/strata-doctor-/);
  });

  it.each(["token", "keeper"] as const)("says whose credentials were refused: %s", async (which) => {
    const { host } = which === "token" ? token : keeper;
    const { code, reads, checks } = await diagnose(`${host}/flux/app:1.0.0`, wrong, "--write");
    expect({ code, reads }).toEqual({ code: 1, reads: false });
    const { error } = checks.find(({ name }) => name === "read")!;
    expect(error).toMatchObject({ code: "Unauthorized", message: expect.stringContaining(`entry "${host}"`) });
  });

  it("says that nobody listens, and asks no more", async () => {
    const { code, reads, checks } = await diagnose(`127.0.0.1:${await freePort()}/flux/app:1.0.0`, {});
    expect({ code, reads }).toEqual({ code: 1, reads: false });
    expect(checks.map(({ error }) => error?.code)).toEqual(["RegistryUnreachable", "RegistryUnreachable"]);
  });

  it("goes through a proxy, and names it where it cannot", async () => {
    const proxy = await startProxy({ resolve: () => open.host });
    workspace.onEnd(() => proxy.close());
    const env = { HTTP_PROXY: proxy.url };
    expect(await diagnose("registry.example/flux/app:1.0.0", env)).toMatchObject({ code: 0, reads: true });
    expect(proxy.requests.length).toBeGreaterThan(0);
    const dead = `127.0.0.1:${await freePort()}`;
    const { code, checks } = await diagnose("registry.example/flux/app:1.0.0", { HTTP_PROXY: `http://${dead}` });
    expect([code, checks.at(-1)?.error?.message]).toEqual([1, expect.stringContaining(dead)]);
  });
});
