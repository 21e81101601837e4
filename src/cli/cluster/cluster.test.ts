import { artifactRepositories } from "../../../api/kinds.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { API_VERSION, KIND, RECONCILE_REQUEST_ANNOTATION } from "../../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus, Condition } from "../../../api/v1beta1/status.ts";
import type { KubeObject, ObjectKey } from "../../kube/client.ts";
import { eventResource } from "../../kube/report/events.ts";
import { runCommand } from "../run.ts";
import { runStrata, testIO, type CommandResult } from "../../testing/command-io.ts";
import { startKubeServer, type TestKubeServer } from "../../testing/kube/server.ts";
import { kubeconfig, scratch } from "../../testing/kube/client.ts";

const revision = `1.4.0@sha256:${"6e5d3c1b".repeat(8)}`;
const time = "2026-11-21T04:00:00Z";
const key = { namespace: "apps", name: "app" };

let server: TestKubeServer;
let directory: Awaited<ReturnType<typeof scratch>>;
let config: string;
beforeEach(async () => {
  server = await startKubeServer({ kinds: [artifactRepositories, eventResource] });
  directory = await scratch();
  config = await directory.write("config", kubeconfig(server.url));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const strata = async (...args: string[]): Promise<CommandResult> =>
  await runStrata(args, { env: { KUBECONFIG: config } });

const condition = (
  type: string,
  status: Condition["status"],
  message: string,
  rest: Partial<Condition> = {},
): Condition => ({
  type,
  status,
  reason: "Succeeded",
  message,
  lastTransitionTime: time,
  observedGeneration: 1,
  ...rest,
});
const readyStatus: ArtifactRepositoryStatus = {
  observedGeneration: 1,
  conditions: [condition("Ready", "True", `stored artifact for revision '${revision}'`)],
  artifact: {
    path: "p",
    url: "http://strata/p.tar.gz",
    revision,
    digest: `sha256:${"c".repeat(64)}`,
    size: 1500,
    lastUpdateTime: time,
  },
};

interface TestObject extends KubeObject {
  readonly spec: object;
  readonly status?: ArtifactRepositoryStatus;
}

function put(
  { namespace, name }: ObjectKey,
  status?: ArtifactRepositoryStatus,
  spec: object = {},
  labels: Record<string, string> = {},
): void {
  const object: TestObject = {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { namespace, name, labels },
    spec: { url: "oci://registry.example/app", interval: "10m", ref: { tag: "1.4.0" }, ...spec },
    ...(status && { status }),
  };
  server.store.put(artifactRepositories, object);
}

const peek = (): TestObject => server.store.peek(artifactRepositories, key) as TestObject;

/** Acts as the controller: answers every request for a reconcile, and every new generation, with a status. */
async function control(statusOf: (object: TestObject) => ArtifactRepositoryStatus): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const { resourceVersion } = await server.store.list(artifactRepositories, {}, stop.signal);
  const work = (async () => {
    for await (const { object } of server.store.watch<TestObject>(
      artifactRepositories,
      { resourceVersion },
      stop.signal,
    )) {
      const requested = object.metadata.annotations?.[RECONCILE_REQUEST_ANNOTATION];
      const { generation } = object.metadata;
      if (object.status?.lastHandledReconcileAt === requested && object.status?.observedGeneration === generation)
        continue;
      const status = statusOf(object);
      const conditions = status.conditions!.map((one) => Object.assign({}, one, { observedGeneration: generation }));
      const patch = {
        status: {
          ...status,
          conditions,
          observedGeneration: generation,
          ...(requested !== undefined && { lastHandledReconcileAt: requested }),
        },
      };
      await server.store.patch(
        artifactRepositories,
        object.metadata,
        patch,
        { fieldManager: "test", subresource: "status" },
        stop.signal,
      );
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await work;
    },
  };
}

describe("strata get", () => {
  beforeEach(() => {
    put(key, readyStatus, {}, { team: "a" });
    put(
      { namespace: "apps", name: "broken" },
      { conditions: [condition("Ready", "False", "several\ncandidates", { reason: "AmbiguousManifest" })] },
      { suspend: true },
    );
    put({ namespace: "other", name: "new" });
  });

  it("prints a table of one namespace", async () => {
    const { code, stdout } = await strata("get");
    expect(code).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "NAME    REVISION               SUSPENDED  READY  MESSAGE",
      `app     1.4.0@sha256:6e5d3c1b  False      True   stored artifact for revision '${revision}'`,
      "broken                         True       False  several candidates",
      "",
    ]);
  });

  it("prints every namespace", async () => {
    const { stdout } = await strata("get", "-A");
    expect(stdout.split("\n").map((line) => line.split(/\s+/).slice(0, 2).join("/"))).toEqual([
      "NAMESPACE/NAME",
      "apps/app",
      "apps/broken",
      "other/new",
      "",
    ]);
    expect(stdout).toContain("Unknown  waiting");
  });

  it.each([
    [["-l", "team=a"], ["app"]],
    [["-n", "other"], ["new"]],
    [
      ["--all-namespaces", "--selector", "team!=a"],
      ["broken", "new"],
    ],
  ])("takes %j", async (args, names) => {
    const { stdout } = await strata("get", "--output", "json", ...args);
    expect((JSON.parse(stdout) as { items: KubeObject[] }).items.map(({ metadata }) => metadata.name)).toEqual(names);
  });

  it("prints one object", async () => {
    expect(parse((await strata("get", "app", "--output", "yaml")).stdout)).toEqual(peek());
    expect((await strata("get", "app")).stdout.split("\n")).toHaveLength(3);
  });

  it("says that there are none", async () => {
    const { code, stdout, stderr } = await strata("get", "-n", "empty");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("empty");
  });

  it("shows no control characters of a status", async () => {
    put(key, { conditions: [condition("Ready", "True", "\u001B[31mred\u202E")] });
    expect((await strata("get")).stdout).toContain("\\u{1b}[31mred\\u{202e}");
  });
});

describe("strata describe", () => {
  it("tells everything", async () => {
    const layer = {
      digest: `sha256:${"a".repeat(64)}`,
      mediaType: "application/vnd.example",
      size: 2000,
      offset: 0,
      title: "app.yaml",
      manifest: `sha256:${"b".repeat(64)}`,
      platform: "linux/amd64",
    };
    put(
      key,
      {
        ...readyStatus,
        conditions: [
          condition("Ready", "False", "line one\nline two"),
          condition("FetchFailed", "True", "line one\nline two"),
          condition("SourceVerified", "True", "signed by key cosign.pub"),
        ],
        url: "http://strata/latest.tar.gz",
        upstream: {
          url: "oci://registry.example/app",
          tag: "1.4.0",
          digest: `sha256:${"d".repeat(64)}`,
          mediaType: "application/vnd.oci.image.index.v1+json",
        },
        selected: {
          operation: "ExtractAll",
          layout: "Merge",
          profile: "timoni",
          note: "took linux/amd64",
          layerCount: 60,
          layers: [layer],
          skipped: { symlinks: 2, special: 0 },
        },
        published: [
          { kind: "ExternalArtifact", name: "app" },
          {
            kind: "OCIArtifact",
            url: "oci://registry.example/out",
            digest: `sha256:${"e".repeat(64)}`,
            tags: ["stable", "1.4.0"],
          },
        ],
      },
      { ref: { semver: ">=1.0.0", policy: { numerical: { order: "asc" } } } },
    );
    const involvedObject = { apiVersion: API_VERSION, kind: KIND, ...key, uid: peek().metadata.uid! };
    const event = {
      apiVersion: "v1",
      kind: "Event",
      involvedObject,
      type: "Warning",
      reason: "OCIPullFailed",
      message: "no such tag",
      lastTimestamp: time,
      count: 3,
    };
    server.store.put(eventResource, { ...event, metadata: { namespace: "apps", name: "one" } });
    server.store.put(eventResource, {
      ...event,
      message: "of another",
      involvedObject: { ...involvedObject, uid: "x" },
      metadata: { namespace: "apps", name: "two" },
    });
    const { code, stdout } = await strata("describe", "app");
    expect(code).toBe(0);
    for (const part of [
      "Name:       app\n",
      'Reference:  semver >=1.0.0, policy {"numerical":{"order":"asc"}}',
      "  Ready:\n    line one\n    line two\n",
      "  SourceVerified:\n    signed by key cosign.pub\n",
      "Tag:         1.4.0",
      "ExtractAll, Merge",
      "took linux/amd64",
      "2 symlinks",
      "app.yaml linux/amd64",
      "and 59 more",
      revision,
      "stable, 1.4.0",
      "Warning OCIPullFailed",
      "3 times",
    ])
      expect(stdout).toContain(part);
    expect(stdout.match(/line one/g)).toHaveLength(1);
    expect(stdout).not.toContain("of another");
  });

  it("is short for what is new", async () => {
    // What the API server gives every new object.
    put(key, { observedGeneration: -1 });
    expect((await strata("describe", "app")).stdout).toContain("not reconciled yet");
  });

  it("does without events that may not be read", async () => {
    put(key, readyStatus);
    server.faults.add({ path: /\/events/, status: 403, times: 2 });
    expect((await strata("describe", "app")).stdout).toContain("Events: may not be read");
    expect(JSON.parse((await strata("describe", "app", "--output", "json")).stdout)).toMatchObject({
      object: { metadata: key },
      events: null,
    });
  });
});

describe("strata reconcile", () => {
  it("waits for the controller's answer", async () => {
    put(key, { ...readyStatus, conditions: [condition("Ready", "False", "of before")] });
    await using _ = await control(() => readyStatus);
    const { code, stdout } = await strata("reconcile", "app");
    expect(code).toBe(0);
    expect(stdout).toContain(`revision ${revision}`);
    expect(peek().metadata.annotations?.[RECONCILE_REQUEST_ANNOTATION]).toBe(peek().status?.lastHandledReconcileAt);
  });

  it("fails where the object does not become ready", async () => {
    put(key, readyStatus);
    await using _ = await control(() => ({
      conditions: [condition("Ready", "False", "no such tag", { reason: "OCIArtifactPullFailed" })],
    }));
    const { code, stderr } = await strata("reconcile", "app");
    expect(code).toBe(1);
    expect(stderr).toContain("no such tag [OCIArtifactPullFailed]");
    const json = await strata("reconcile", "app", "--output", "json");
    expect({ code: json.code, object: JSON.parse(json.stdout) as unknown }).toMatchObject({
      code: 1,
      object: { metadata: key },
    });
  });

  it("does not take an older answer for this one", async () => {
    put(key, readyStatus);
    const { code, stdout } = await strata("reconcile", "app", "--timeout", "50ms", "--output", "json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "Aborted" } });
  });

  it("waits while the controller is at work, and says so", async () => {
    put(key, readyStatus);
    await using _ = await control(() => ({
      conditions: [
        condition("Reconciling", "True", "busy", { reason: "Progressing" }),
        condition("Ready", "Unknown", "downloading"),
      ],
    }));
    const { code, stderr } = await strata("reconcile", "app", "--timeout", "700ms");
    expect(code).toBe(1);
    expect(stderr.match(/waiting: downloading/g)).toHaveLength(1);
  });

  it("outlives an API server that is away for a moment", async () => {
    put(key, readyStatus);
    await using _ = await control(() => readyStatus);
    // The first GET and the PATCH get through.
    server.faults.add({ method: "GET", path: /artifactrepositories/, after: 1, times: 4, status: 503 });
    expect((await strata("reconcile", "app", "--timeout", "30s")).code).toBe(0);
  });

  it("refuses what is suspended", async () => {
    put(key, readyStatus, { suspend: true });
    const { code, stderr } = await strata("reconcile", "app");
    expect(code).toBe(1);
    expect(stderr).toContain("strata resume app");
    expect(peek().metadata.annotations).toBeUndefined();
  });
});

describe("strata suspend and resume", () => {
  it("stop and start again", async () => {
    put(key, readyStatus);
    expect((await strata("suspend", "app")).stdout).toContain("apps/app is suspended");
    expect(peek().spec).toMatchObject({ suspend: true });
    await using _ = await control(() => readyStatus);
    const { code, stdout } = await strata("resume", "app", "-n", "apps");
    expect(code).toBe(0);
    expect(stdout).toContain("is ready");
    expect(peek().spec).not.toHaveProperty("suspend");
  });

  it("resume may leave without waiting", async () => {
    put(key, undefined, { suspend: true });
    const { code, stdout } = await strata("resume", "app", "--no-wait", "--output", "json");
    expect({ code, object: JSON.parse(stdout) as unknown }).toMatchObject({ code: 0, object: { metadata: key } });
  });

  it("resume says where nothing was suspended", async () => {
    put(key, readyStatus);
    expect((await strata("resume", "app")).stderr).toContain("was not suspended");
  });

  it("suspend prints the object", async () => {
    put(key);
    expect(JSON.parse((await strata("suspend", "app", "--output", "json")).stdout)).toMatchObject({
      spec: { suspend: true },
    });
  });
});

describe("several names", () => {
  const other = { namespace: "apps", name: "other" };

  it("are all done, also where one fails", async () => {
    put(key, readyStatus);
    put(other, readyStatus);
    const { code, stdout, stderr } = await strata("suspend", "app", "none", "other", "app");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "apps/app is suspended\napps/other is suspended\n" });
    expect(stderr).toMatch(/^error: .*none.*\[NotFound\]\n$/);
    expect((server.store.peek(artifactRepositories, other) as TestObject).spec).toMatchObject({ suspend: true });
  });

  it("are a list for a program, and lines of names for the next command", async () => {
    put(key, readyStatus);
    put(other, readyStatus);
    const { stdout } = await strata("get", "app", "other", "-o", "json");
    expect((JSON.parse(stdout) as { items: KubeObject[] }).items.map(({ metadata }) => metadata.name)).toEqual([
      "app",
      "other",
    ]);
    const names = (await strata("get", "-o", "name")).stdout;
    expect(names).toBe("artifactrepository.source.strata.dev/app\nartifactrepository.source.strata.dev/other\n");
    expect((await strata("suspend", ...names.trim().split("\n"), "-o", "name")).stdout).toBe(names);
  });

  it("are waited for at the same time", async () => {
    put(key, readyStatus);
    put(other, readyStatus);
    await using _ = await control(({ metadata }) =>
      metadata.name === "app" ? readyStatus : { conditions: [condition("Ready", "False", "gone")] },
    );
    const { code, stdout, stderr } = await strata("reconcile", "app", "other");
    expect(code).toBe(1);
    expect(stdout).toContain("apps/app is ready");
    expect(stderr).toContain("apps/other is not ready: gone [Succeeded]");
  });
});

describe("strata get --watch", () => {
  it("prints what there is, then a line for each change", async () => {
    put(key, readyStatus);
    const stop = new AbortController();
    const { io, written } = testIO({ env: { KUBECONFIG: config }, signal: stop.signal });
    const done = runCommand(["get", "--watch"], io);
    const until = async (text: string): Promise<void> => {
      await vi.waitFor(() => expect(written().stdout).toContain(text), { timeout: 10_000, interval: 10 });
    };
    await until("app ");
    put({ namespace: "apps", name: "two" });
    await until("two");
    put(key, { conditions: [condition("Ready", "False", "no such tag")] });
    await until("no such tag");
    await server.store.delete(artifactRepositories, key, {}, stop.signal);
    await until("Deleted");
    stop.abort();
    expect(await done).toBe(0);
    const lines = written().stdout.trim().split("\n");
    expect(lines.map((line) => line.split(/\s+/)[0])).toEqual(["NAME", "app", "two", "app", "app"]);
    const column = lines[0]!.indexOf("SUSPENDED");
    expect(lines.map((line) => line.slice(column).split(" ")[0])).toEqual([
      "SUSPENDED",
      ...Array<string>(4).fill("False"),
    ]);
  });
});

describe("a kubeconfig", () => {
  it("has the context that is named", async () => {
    put(key, readyStatus);
    const { contexts, ...rest } = kubeconfig(server.url) as { contexts: object[] };
    const second = { name: "second", context: { cluster: "test", user: "test", namespace: "empty" } };
    const file = await directory.write("two", { ...rest, contexts: [...contexts, second] });
    const run = (...args: string[]): Promise<CommandResult> => runStrata(["get", "--kubeconfig", file, ...args]);
    expect((await run()).stdout).toContain("app");
    expect((await run("--context", "second")).stderr).toContain("in the namespace empty");
    expect(await run("--context", "third")).toMatchObject({ code: 1, stderr: expect.stringContaining("second, test") });
  });

  it("that does not check the server's certificate is honoured with a warning, and refused without", async () => {
    await using secure = await startKubeServer({ kinds: [artifactRepositories], tls: "server" });
    const insecure = (authority: object): object =>
      kubeconfig(secure.url, { token: "token1" }, { "certificate-authority-data": undefined, ...authority });
    const skipped = await directory.write("skipped", insecure({ "insecure-skip-tls-verify": true }));
    const run = (file: string): Promise<CommandResult> => runStrata(["get", "--kubeconfig", file]);
    const { code, stderr } = await run(skipped);
    expect(stderr).toMatch(/^warning: cluster test has insecure-skip-tls-verify/);
    expect(code).toBe(0);
    expect((await run(await directory.write("checked", insecure({})))).code).toBe(1);
  });
});

describe("every command", () => {
  it.each([
    ["get", "Not/a/name"],
    ["get", "pod/app"],
    ["get", "a", "-A"],
    ["get", "-A", "-n", "x"],
    ["get", "--output", "wide"],
    ["describe"],
    ["describe", "a", "b"],
    ["reconcile"],
    ["reconcile", "a", "--timeout", "soon"],
    ["reconcile", "a", "--timeout", "0s"],
    ["suspend"],
    ["suspend", "a", "--all"],
    ["resume"],
  ])("takes no %s %s %s", async (...args) => {
    expect((await strata(...args)).code).toBe(2);
    expect(server.requests).toEqual([]);
  });

  it.each(["get", "describe", "reconcile", "suspend", "resume"])("%s says what does not exist", async (command) => {
    const { code, stdout } = await strata(command, "none", "--output", "json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "NotFound" } });
  });

  it.each(["get", "describe", "reconcile", "suspend", "resume"])("%s explains itself", async (command) => {
    const { code, stdout } = await strata(command, "--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(/Usage:[^]*--kubeconfig[^]*Examples:/);
  });

  it("needs a kubeconfig", async () => {
    const { code, stdout } = await runStrata(["get", "--output", "json"], { env: { KUBECONFIG: `${config}.none` } });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "InvalidSpec" } });
  });
});
