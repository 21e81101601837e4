import { buffer } from "node:stream/consumers";
import { beforeEach, describe, expect, it } from "vitest";
import { sharedReadsDefaults } from "../config.ts";
import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import { accessKey } from "../sharing/access-key.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { SharedReads, type Taking } from "./shared-reads.ts";

const never = new AbortController().signal;
let memory: MemoryRepository;
let root: Descriptor;
let reads: SharedReads;
let asked: string[];
let fail: Error | undefined;

beforeEach(() => {
  memory = new MemoryRepository("registry.test/app");
  const layer = memory.blob("layer");
  root = memory.manifest({ config: memory.blob("{}"), layers: [layer] }, "1.0.0");
  reads = new SharedReads(sharedReadsDefaults);
  asked = [];
  fail = undefined;
});

/** The repository as one object opens it. */
function opened(): Repository {
  const note = (what: string): void => {
    asked.push(what);
    if (fail) throw fail;
  };
  return {
    name: memory.name,
    resolve: async (reference, _, next) => {
      note(`${next ?? "resolve"} ${reference}`);
      return await memory.resolve(reference);
    },
    fetch: async (descriptor, signal) => {
      note(`fetch ${descriptor.mediaType === root.mediaType ? "manifest" : "blob"}`);
      return await memory.fetch(descriptor, signal);
    },
    async *tags() {
      note("tags");
      yield ["1.0.0"];
      yield await Promise.resolve(["2.0.0"]);
    },
    referrers: async () => await Promise.resolve([]),
  };
}

const share = (since: number, who: unknown = "alice", taking: Partial<Taking> = {}, holds = true): Repository =>
  reads.share(
    opened(),
    { key: accessKey({ who }), holds: () => holds },
    { since, tagsSince: since, patienceMs: 10_000, ...taking },
  );
const tagsOf = async (repository: Repository): Promise<string[]> =>
  (await Array.fromAsync(repository.tags(never))).flat();

describe("a reference", () => {
  it("is resolved once for those who wished for it before", async () => {
    const now = performance.now();
    expect(await share(now).resolve("1.0.0", never)).toEqual(root);
    expect(await share(now).resolve("1.0.0", never)).toEqual(root);
    expect(asked).toEqual(["resolve 1.0.0"]);
  });

  it("is one request for those who ask at the same time", async () => {
    const now = performance.now();
    await Promise.all([share(now).resolve("1.0.0", never), share(now).resolve("1.0.0", never)]);
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["for a newer wish", () => performance.now(), "alice", "1.0.0"],
    ["for other credentials", () => 0, "bob", "1.0.0"],
    ["for another tag", () => 0, "alice", root?.digest ?? "latest"],
  ])("is asked for again %s", async (_, since, access, reference) => {
    await share(0).resolve("1.0.0", never);
    await share(since(), access).resolve(reference === "latest" ? root.digest : reference, never);
    expect(asked).toHaveLength(2);
  });

  it("that could not be resolved is asked for again", async () => {
    fail = new CodedError("RegistryUnavailable", "503");
    await expect(share(0).resolve("1.0.0", never)).rejects.toMatchObject({ code: "RegistryUnavailable" });
    fail = undefined;
    expect(await share(0).resolve("1.0.0", never)).toEqual(root);
  });

  it("is asked for again where whoever asked first has stopped", async () => {
    fail = new CodedError("Aborted", "stopped");
    const stopped = share(0).resolve("1.0.0", never);
    const waiting = share(0)
      .resolve("1.0.0", never)
      .catch((error: unknown) => error);
    await expect(stopped).rejects.toMatchObject({ code: "Aborted" });
    fail = undefined;
    await waiting;
    expect(await share(0).resolve("1.0.0", never)).toEqual(root);
  });

  it("that another fails to resolve is resolved by whoever waits for it", async () => {
    const slow = Promise.withResolvers<never>();
    const failing = reads.share(
      { ...opened(), resolve: async () => await slow.promise },
      { key: accessKey({ who: "alice" }), holds: () => true },
      { since: 0, tagsSince: 0, patienceMs: 1 },
    );
    const failed = failing.resolve("1.0.0", never);
    const waiting = share(0).resolve("1.0.0", never);
    slow.reject(new CodedError("RegistryTimeout", "1 ms is not enough"));
    await expect(failed).rejects.toMatchObject({ code: "RegistryTimeout" });
    expect(await waiting).toEqual(root);
  });

  it("that another resolves slowly is waited for no longer than one's own bound", async () => {
    const stuck = reads.share(
      { ...opened(), resolve: async () => await new Promise<never>(() => undefined) },
      { key: accessKey({ who: "alice" }), holds: () => true },
      { since: 0, tagsSince: 0, patienceMs: 1 },
    );
    void stuck.resolve("1.0.0", never);
    expect(await share(0, "alice", { patienceMs: 1 }).resolve("1.0.0", never)).toEqual(root);
  });

  it("that came with other credentials than those of its key is kept for nobody", async () => {
    const renewed = share(0, "alice", {}, false);
    expect(await renewed.resolve("1.0.0", never)).toEqual(root);
    await buffer(await renewed.fetch(root, never));
    expect(renewed.access).toBeUndefined();
    await share(0).resolve("1.0.0", never);
    await buffer(await share(0).fetch(root, never));
    expect(asked).toEqual(["resolve 1.0.0", "fetch manifest", "resolve 1.0.0", "fetch manifest"]);
  });

  it("that somebody has resolved before is asked for alone, also by those who read on", async () => {
    expect(await share(0).resolve("1.0.0", never, "read")).toEqual(root);
    expect(await share(performance.now()).resolve("1.0.0", never, "read")).toEqual(root);
    expect(asked).toEqual(["read 1.0.0", "resolve 1.0.0"]);
  });

  it.each<[string, unknown, () => string]>([
    ["others have resolved with other credentials", "bob", () => "1.0.0"],
    ["is not one of those resolved before", "alice", () => root.digest],
  ])("that %s is read at once", async (_, access, reference) => {
    await share(0).resolve("1.0.0", never);
    await share(0, access).resolve(reference(), never, "read");
    expect(asked).toEqual(["resolve 1.0.0", `read ${reference()}`]);
  });

  it("that could not be resolved is read at once the next time, too", async () => {
    fail = new CodedError("RegistryUnavailable", "503");
    await expect(share(0).resolve("1.0.0", never, "read")).rejects.toMatchObject({ code: "RegistryUnavailable" });
    fail = undefined;
    expect(await share(performance.now()).resolve("1.0.0", never, "read")).toEqual(root);
    expect(asked).toEqual(["read 1.0.0", "read 1.0.0"]);
  });
});

describe("content", () => {
  it("that is a manifest is fetched once, a blob each time", async () => {
    for (const since of [0, performance.now()]) {
      const repository = share(since);
      expect((await buffer(await repository.fetch(root, never))).length).toBe(root.size);
      await buffer(await repository.fetch(memory.blob("layer"), never));
    }
    expect(asked).toEqual(["fetch manifest", "fetch blob", "fetch blob"]);
  });

  it("is not shown to those with other credentials", async () => {
    await buffer(await share(0).fetch(root, never));
    await buffer(await share(0, "bob").fetch(root, never));
    expect(asked).toEqual(["fetch manifest", "fetch manifest"]);
  });
});

describe("a tag list", () => {
  it("is read once, whole", async () => {
    expect(await tagsOf(share(0))).toEqual(["1.0.0", "2.0.0"]);
    expect(await tagsOf(share(0))).toEqual(["1.0.0", "2.0.0"]);
    expect(asked).toEqual(["tags"]);
  });

  it("is read again where it is too old", async () => {
    await tagsOf(share(0));
    await tagsOf(share(performance.now()));
    expect(asked).toEqual(["tags", "tags"]);
  });
});
