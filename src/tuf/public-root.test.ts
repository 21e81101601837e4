import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tufDefaults } from "../config.ts";
import { TestSigstore } from "../testing/signatures/sigstore.ts";
import { type Fault, TestTufRepository, TufKey, type TufMirror } from "../testing/signatures/tuf-repository.ts";
import { embeddedRoot } from "../verify/cosign/trusted-root.ts";
import { PublicRoot, type PublicRootOptions, type RootState } from "./public-root.ts";

const hour = 3_600_000;
const [first, second] = [new TestSigstore().trustedRoot(), new TestSigstore().trustedRoot()];
const { signal } = new AbortController();

let directory: string;
let repository: TestTufRepository;
let mirror: TufMirror;
let states: RootState[];
let now: number;
let stop: AbortController;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "strata-tuf-"));
  repository = new TestTufRepository();
  repository.publish({ trustedRoot: first });
  mirror = await repository.serve();
  states = [];
  now = Date.now();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await mirror.close();
  // What was just stopped may still be cleaning up.
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** As a process that starts has it. */
function open(changes: Partial<PublicRootOptions> = {}): PublicRoot {
  return new PublicRoot(
    {
      mirror: mirror.url,
      anchor: repository.anchor,
      directory,
      limits: { ...tufDefaults, waitMs: 3000 },
      userAgent: "test",
      connect: () => {
        const agent = new Agent();
        return { dispatcher: () => agent, destroy: async () => await agent.destroy() };
      },
      now: () => now,
      report: (state) => void states.push(state),
      ...changes,
    },
    stop.signal,
  );
}

const results = (): string[] => states.map(({ result }) => result).filter((result) => result !== "found");
const last = (): RootState | undefined => states.at(-1);

describe("a refresh", () => {
  it("takes what the repository has signed, and tells when", async () => {
    expect(await open().current(signal)).toBe(first);
    expect(states).toEqual([
      { result: "found", refreshedAt: undefined },
      { result: "success", refreshedAt: now },
    ]);
  });

  it("is made once a day, also over restarts, and once for all who wait", async () => {
    const root = open();
    await Promise.all([root.current(signal), root.current(signal), root.current(signal)]);
    const asked = mirror.requests.length;
    repository.publish({ trustedRoot: second });
    now += 24 * hour - 1;
    expect(await root.current(signal)).toBe(first);
    expect(await open().current(signal)).toBe(first);
    expect(last()).toEqual({ result: "found", refreshedAt: now + 1 - 24 * hour });
    expect(mirror.requests.length).toBe(asked);
    now += 1;
    expect(await open().current(signal)).toBe(second);
    expect(await root.current(signal)).toBe(second);
    expect(results()).toEqual(["success", "success", "success"]);
  });

  it("follows the keys of the root, and asks for the target only where it is another", async () => {
    await open().current(signal);
    repository.rotate();
    repository.rotate();
    repository.publish({ trustedRoot: first });
    now += 25 * hour;
    mirror.requests.length = 0;
    expect(await open().current(signal)).toBe(first);
    expect(last()).toMatchObject({ result: "success" });
    expect(mirror.requests).toEqual([
      "2.root.json",
      "3.root.json",
      "4.root.json",
      "timestamp.json",
      "2.snapshot.json",
      "2.targets.json",
    ]);
  });

  it("leaves nothing behind but what it keeps, and takes away what a killed process has left", async () => {
    await open().current(signal);
    const [own = ""] = await readdir(directory);
    const stale = await mkdtemp(join(directory, own, "work-"));
    const recent = await mkdtemp(join(directory, own, "work-"));
    await utimes(stale, new Date(now - 2 * hour), new Date(now - 2 * hour));
    await open().current(signal);
    expect((await readdir(join(directory, own))).toSorted()).toEqual(
      [
        "refreshed.json",
        "root.json",
        "snapshot.json",
        "targets.json",
        "timestamp.json",
        "trusted_root.json",
        recent.slice(-11),
      ].toSorted(),
    );
  });

  it("keeps what comes by different keys or addresses apart", async () => {
    await open().current(signal);
    const other = new TestTufRepository();
    other.publish({ trustedRoot: second });
    const elsewhere = await other.serve();
    expect(await open({ mirror: elsewhere.url, anchor: other.anchor }).current(signal)).toBe(second);
    await elsewhere.close();
    expect(await open().current(signal)).toBe(first);
    expect(await readdir(directory)).toHaveLength(2);
  });
});

const stall: Fault = () => true;
const endless: Fault = (path, response) => {
  if (path !== "timestamp.json") return false;
  response.writeHead(200);
  const more = (): void => void (response.destroyed || response.write(Buffer.alloc(65_536), more));
  more();
  return true;
};

describe("the last good root stays", () => {
  it.each<[string, () => void, RegExp]>([
    [
      "the timestamp has expired",
      () => repository.publish({ trustedRoot: second, expires: new Date(Date.now() - hour) }),
      /timestamp.json is expired/,
    ],
    [
      "the repository goes back to an older version",
      () => repository.publish({ trustedRoot: second, version: 1 }),
      /less than current version/,
    ],
    [
      "the timestamp is signed by somebody else",
      () => repository.publish({ trustedRoot: second, timestampBy: new TufKey() }),
      /timestamp/,
    ],
    ["the target is not the signed one", () => repository.publish({ trustedRoot: second, served: `${second} ` }), /./],
    [
      "the target is not a trusted root",
      () => repository.publish({ trustedRoot: "{}" }),
      /trusted_root.json lists no certificateAuthorities/,
    ],
    [
      "the target is huge",
      () => repository.publish({ trustedRoot: `${second}${" ".repeat(2 << 20)}` }),
      /trusted_root.json is larger than 1048576 bytes/,
    ],
    [
      "the mirror answers with errors",
      () => mirror.fail((_, response) => (response.writeHead(500).end(), true)),
      /answers 500/,
    ],
    ["the mirror sends without an end", () => mirror.fail(endless), /is larger than 16384 bytes/],
    [
      "the mirror sends no JSON",
      () => mirror.fail((path, response) => path === "timestamp.json" && (response.end("<html>"), true)),
      /JSON/,
    ],
    [
      "the mirror sends what nests without an end",
      () => mirror.fail((path, response) => path === "timestamp.json" && (response.end("[".repeat(16_000)), true)),
      /./,
    ],
    [
      "the mirror leads round in a circle",
      () => mirror.fail((path, response) => (response.writeHead(302, { location: `/${path}` }).end(), true)),
      /answers 302/,
    ],
  ])("where %s", async (_, change, message) => {
    repository.publish({ trustedRoot: first });
    await open().current(signal);
    now += 25 * hour;
    change();
    for (const root of [open(), open({ now: () => now + 2 * hour })]) {
      expect(await root.current(signal)).toBe(first);
      expect(last()).toMatchObject({ result: "failure", refreshedAt: now - 25 * hour });
      expect(String(last()?.error)).toMatch(message);
    }
  });

  it("where nobody answers at the address, and it is tried again after an hour, not before", async () => {
    const root = open();
    await root.current(signal);
    await mirror.close();
    now += 25 * hour;
    for (const minutes of [0, 59, 60]) {
      now += minutes === 60 ? 60_000 : minutes * 60_000;
      expect(await root.current(signal)).toBe(first);
    }
    expect(results()).toEqual(["success", "failure", "failure"]);
  });

  it("where the mirror hangs: a verification waits for a moment only, and the refresh itself has an end", async () => {
    await open().current(signal);
    now += 25 * hour;
    mirror.fail(stall);
    const root = open({ limits: { ...tufDefaults, waitMs: 50, timeoutMs: 300 } });
    const started = performance.now();
    expect(await root.current(signal)).toBe(first);
    expect(await root.current(signal)).toBe(first);
    expect(performance.now() - started).toBeLessThan(280);
    await expect.poll(results).toEqual(["success", "slow", "failure"]);
    expect(last()?.error).toMatchObject({ code: "RegistryTimeout" });
  });

  it("where nothing can be written", async () => {
    await writeFile(join(directory, "file"), "");
    const root = open({ anchor: undefined, mirror: mirror.url, directory: join(directory, "file") });
    expect(await root.current(signal)).toBe(await embeddedRoot());
    expect(results()).toEqual(["failure"]);
    expect(mirror.requests).toEqual([]);
  });

  it("unless it was spoilt on disk: then it is fetched again", async () => {
    await open().current(signal);
    const [own = ""] = await readdir(directory);
    await writeFile(join(directory, own, "trusted_root.json"), "{");
    expect(await open().current(signal)).toBe(first);
    expect(JSON.parse(await readFile(join(directory, own, "trusted_root.json"), "utf8"))).toEqual(JSON.parse(first));
  });
});

describe("metadata on disk", () => {
  it.each(["root.json", "timestamp.json", "snapshot.json", "targets.json"])(
    "%s that a power cut has emptied is fetched again",
    async (name) => {
      await open().current(signal);
      repository.publish({ trustedRoot: second });
      const [own = ""] = await readdir(directory);
      await writeFile(join(directory, own, name), "");
      now += 25 * hour;
      expect(await open().current(signal)).toBe(second);
      expect(last()).toMatchObject({ result: "success" });
    },
  );
});

it("a time on disk that is none is not told", async () => {
  await open().current(signal);
  const [own = ""] = await readdir(directory);
  await writeFile(join(directory, own, "refreshed.json"), '{"refreshedAt":1e20,"attemptedAt":1e999}');
  mirror.fail((_, response) => (response.writeHead(503).end(), true));
  expect(await open().current(signal)).toBe(first);
  expect(last()).toMatchObject({ result: "failure", refreshedAt: undefined });
});

describe("before a refresh has worked", () => {
  it("the public root is the one that came along, which another's signatures do not replace", async () => {
    expect(await open({ anchor: undefined }).current(signal)).toBe(await embeddedRoot());
    expect(last()).toMatchObject({ result: "failure", refreshedAt: undefined });
  });

  it("there is none of another Sigstore, and the public one is not trusted in its place", async () => {
    mirror.fail((_, response) => (response.writeHead(503).end(), true));
    const root = open();
    await expect(root.current(signal)).rejects.toMatchObject({
      code: "DependencyNotReady",
      message: expect.stringContaining("answers 503") as unknown,
    });
    mirror.fail(undefined);
    now += 10_000;
    expect(await root.current(signal)).toBe(first);
  });

  it("says that nobody has answered yet", async () => {
    mirror.fail(stall);
    await expect(open({ limits: { ...tufDefaults, waitMs: 20 } }).current(signal)).rejects.toMatchObject({
      code: "DependencyNotReady",
      message: expect.stringContaining("no answer within 0.02 s") as unknown,
    });
  });
});

describe("a signal", () => {
  it("ends the waiting of one, and not the refresh of the others", async () => {
    const held: (() => void)[] = [];
    mirror.fail((path, response) => {
      if (path !== "timestamp.json") return false;
      held.push(() => response.end(repository.files.get(path)));
      return true;
    });
    const root = open();
    const abort = new AbortController();
    const [one, other] = [root.current(abort.signal), root.current(signal)];
    await expect.poll(() => held.length).toBe(1);
    abort.abort();
    await expect(one).rejects.toMatchObject({ code: "Aborted" });
    held[0]!();
    expect(await other).toBe(first);
  });

  it("ends what is under way when the process stops, and reports no failure", async () => {
    mirror.fail(stall);
    const waiting = open({ anchor: undefined }).current(signal);
    await expect.poll(() => mirror.requests.length).toBeGreaterThan(0);
    stop.abort();
    expect(await waiting).toBe(await embeddedRoot());
    expect(results()).toEqual([]);
  });
});

it("does not repeat what a redirect was signed with", async () => {
  const moved = await repository.serve();
  moved.fail((_, response) => (response.writeHead(403).end(), true));
  mirror.fail((path, response) => {
    const isRoot = path.endsWith("root.json");
    response.writeHead(isRoot ? 404 : 302, { location: `${moved.url}/${path}?signature=hunter2` }).end();
    return true;
  });
  await expect(open().current(signal)).rejects.toThrow(/timestamp\.json answers 403$/);
  expect(String(last()?.error)).not.toContain("hunter2");
  await moved.close();
});

it("follows redirects, as mirrors on object stores need", async () => {
  const moved = await repository.serve();
  mirror.fail((path, response) => (response.writeHead(307, { location: `${moved.url}/${path}` }).end(), true));
  expect(await open().current(signal)).toBe(first);
  await moved.close();
});
