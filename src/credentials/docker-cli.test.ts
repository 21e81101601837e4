import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dockerCliProvider } from "./docker-cli.ts";

let dir: string;
const { signal } = new AbortController();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-docker-"));
  await mkdir(join(dir, "bin"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

/** A credential helper as a shell script. */
async function helper(name: string, script: string): Promise<void> {
  const file = join(dir, "bin", `docker-credential-${name}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

const provider = (helperTimeoutMs = 10_000) =>
  dockerCliProvider({ configDir: dir, path: `/nowhere${delimiter}${join(dir, "bin")}`, helperTimeoutMs });
const config = async (value: unknown): Promise<void> =>
  await writeFile(join(dir, "config.json"), typeof value === "string" ? value : JSON.stringify(value));
const resolve = async (registry = "r.example", repository = "team/app") =>
  await provider().resolve({ registry, repository }, signal);
const answer = (username: string, secret: string): string =>
  `echo '${JSON.stringify({ ServerURL: "x", Username: username, Secret: secret })}'`;

describe("dockerCliProvider", () => {
  it("is anonymous without config.json", async () => {
    expect(await resolve()).toBeUndefined();
    expect(
      await dockerCliProvider({ configDir: join(dir, "absent"), path: "", helperTimeoutMs: 1 }).resolve(
        { registry: "r.example", repository: "a" },
        signal,
      ),
    ).toBeUndefined();
  });

  it("reads auths", async () => {
    await config({ auths: { "r.example": { username: "u", password: "p" } } });
    expect(await resolve()).toEqual({ kind: "basic", username: "u", password: "p" });
  });

  it.each([
    ["r.example", "r.example"],
    ["127.0.0.1:5000", "127.0.0.1:5000"],
    ["docker.io", "https://index.docker.io/v1/"],
  ])("asks the helper of %s for %s", async (registry, server) => {
    await helper("mine", `test "$1" = get || exit 9\ncat > ${join(dir, "asked")}\n${answer("u", "p")}`);
    await config({ credHelpers: { [registry]: "mine" }, credsStore: "never" });
    expect(await resolve(registry)).toEqual({ kind: "basic", username: "u", password: "p" });
    expect(await readFile(join(dir, "asked"), "utf8")).toBe(server);
  });

  it("asks credsStore for every other host", async () => {
    await helper("store", answer("<token>", "refresh"));
    await config({ credHelpers: { "other.example": "mine" }, credsStore: "store" });
    expect(await resolve()).toEqual({ kind: "identityToken", token: "refresh" });
  });

  it("falls back to auths where the helper holds nothing", async () => {
    await helper("store", `cat > /dev/null\necho "credentials not found in native keychain"\nexit 1`);
    await config({ credsStore: "store", auths: { "r.example": { username: "u", password: "p" } } });
    expect(await resolve()).toEqual({ kind: "basic", username: "u", password: "p" });
    expect(await resolve("other.example")).toBeUndefined();
    await helper("store", answer("", ""));
    expect(await resolve("other.example")).toBeUndefined();
  });

  it("starts no shell: a helper's name is a name", async () => {
    for (const name of ["x; touch pwned", "../evil", "a/b", "$(id)", ""]) {
      await config({ credsStore: name });
      if (name === "") expect(await resolve()).toBeUndefined();
      else await expect(resolve()).rejects.toMatchObject({ code: "SecretInvalid" });
    }
  });

  it("says which helper is not installed", async () => {
    await config({ credsStore: "absent" });
    await expect(resolve()).rejects.toMatchObject({
      code: "SecretNotFound",
      message: expect.stringContaining("docker-credential-absent"),
    });
  });

  it.each([
    ["fails", `echo "keychain is locked"; exit 3`, /keychain is locked/],
    ["fails after it has shown the secret", `echo '{"Secret":"hunter2"'; exit 3`, /exit 3/],
    ["answers with no JSON", "echo hunter2", /is not JSON/],
    ["answers with other JSON", `echo '{"Secret":"hunter2"}'`, /no Username and Secret/],
    ["answers with null", "echo null", /is not a JSON object/],
    ["writes without end", "yes hunter2", /more than 65536 bytes/],
    ["is killed", "kill -9 $$", /by signal/],
  ])("reports a helper that %s", async (_, script, message) => {
    await helper("store", script);
    await config({ credsStore: "store" });
    const error = await resolve().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "SecretInvalid", message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain("hunter2");
  });

  it("reports a helper that cannot be started", async () => {
    await writeFile(join(dir, "bin", "docker-credential-store"), "#!/nowhere/interpreter\n", { mode: 0o755 });
    await config({ credsStore: "store" });
    await expect(resolve()).rejects.toMatchObject({
      code: "SecretInvalid",
      message: expect.stringContaining("cannot be started"),
    });
  });

  it("waits no longer than it may, also for what the helper has left running", async () => {
    await config({ credsStore: "store" });
    for (const script of ["exec sleep 30", "sleep 30 &\nexit 0"]) {
      await helper("store", script);
      const started = Date.now();
      await expect(provider(200).resolve({ registry: "r.example", repository: "a" }, signal)).rejects.toMatchObject({
        code: "SecretInvalid",
        message: expect.stringContaining("200 ms"),
      });
      expect(Date.now() - started).toBeLessThan(5000);
    }
  });

  it("stops when asked to", async () => {
    await helper("store", "exec sleep 30");
    await config({ credsStore: "store" });
    const controller = new AbortController();
    const pending = provider().resolve({ registry: "r.example", repository: "a" }, controller.signal);
    setTimeout(() => controller.abort(), 100);
    await expect(pending).rejects.toMatchObject({ code: "Aborted" });
    await expect(
      provider().resolve({ registry: "r.example", repository: "a" }, controller.signal),
    ).rejects.toMatchObject({ code: "Aborted" });
  });

  it("reports a config.json that is broken or unreadable", async () => {
    await config("{hunter2");
    await expect(resolve()).rejects.toMatchObject({
      code: "SecretInvalid",
      message: expect.not.stringContaining("hunter2"),
    });
    await rm(join(dir, "config.json"));
    await mkdir(join(dir, "config.json"));
    await expect(resolve()).rejects.toMatchObject({
      code: "SecretInvalid",
      message: expect.stringContaining("EISDIR"),
    });
  });
});
