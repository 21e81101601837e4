import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";

const signal = new AbortController().signal;
const client = testClient();
let registry: TestRegistry;

const start = async (count: number, pageSize?: number): Promise<void> => {
  registry = await startRegistry(pageSize === undefined ? {} : { pageSize });
  const { digest } = registry.store.putArtifact("a", { tag: "t000000" });
  for (let at = 1; at < count; at++) registry.store.repository("a").tags.set(`t${String(at).padStart(6, "0")}`, digest);
};
beforeEach(() => {
  registry = undefined as never;
});
afterEach(() => registry.close());
afterAll(() => client.close());

const list = async (maxTags = defaultLimits.maxTags): Promise<string[]> => {
  const all: string[] = [];
  for await (const page of testRepository(registry, "a", { client, limits: { ...defaultLimits, maxTags } }).tags(
    signal,
  ))
    all.push(...page);
  return all;
};
const page = (tags: unknown, link?: string): object => ({
  status: 200,
  body: JSON.stringify({ name: "a", tags }),
  headers: { link },
});
const thousand = (prefix: string): string[] => Array.from({ length: 1000 }, (_, at) => `${prefix}${at}`);

test.each([
  [1, 1000, 1],
  [1000, 1000, 2],
  [2500, 1000, 3],
  [7, 2, 4],
])("%i tags, at most %i on a page, in %i requests", async (count, pageSize, requests) => {
  await start(count, pageSize);
  const found = await list();
  expect(found).toEqual([...registry.store.repository("a").tags.keys()]);
  expect(registry.requests).toHaveLength(requests);
});

test("100,000 tags are read page by page", async () => {
  await start(100_000);
  const found = await list();
  expect(new Set(found).size).toBe(100_000);
  expect(registry.requests.length).toBeLessThanOrEqual(101);
});

test("tags arrive as they are read: a reader may stop early", async () => {
  await start(5000);
  for await (const first of testRepository(registry, "a", { client }).tags(signal)) {
    expect(first).toHaveLength(1000);
    break;
  }
  expect(registry.requests).toHaveLength(1);
});

test("a repository without tags", async () => {
  await start(1);
  registry.faults.add(page(null));
  expect(await list()).toEqual([]);
});

test("a full page without a Link is followed by `last`", async () => {
  await start(1);
  registry.faults.add(page(thousand("a")), page(thousand("b")), page(["c"]));
  expect(await list()).toHaveLength(2001);
  expect(registry.requests.map((request) => new URL(request.path, registry.url).searchParams.get("last"))).toEqual([
    null,
    "a999",
    "b999",
  ]);
});

test("a registry that ignores `last` is noticed", async () => {
  await start(1);
  registry.faults.add({ times: 9, ...page(thousand("a")) });
  expect(await list()).toHaveLength(1000);
  expect(registry.requests).toHaveLength(2);
});

test("a Link to another host is not followed, and no tag is lost for it", async () => {
  await start(1);
  registry.faults.add(page(["a", "b"], '<https://internal.example/v2/a/tags/list?last=b>; rel="next"'), page(["c"]));
  expect(await list()).toEqual(["a", "b", "c"]);
  expect(registry.requests[1]?.path).toBe("/v2/a/tags/list?n=1000&last=b");
});

test.each<[string, number | undefined]>([
  ["a page size that is refused", undefined],
  ["a page size that is refused, and pages of its own", 50],
])("%s: it is left out", async (_, pageSize) => {
  await start(120, pageSize ?? 1000);
  registry.faults.guard = ({ url }) =>
    Number(new URL(url, registry.url).searchParams.get("n") ?? 0) > 100
      ? { status: 400, body: '{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}' }
      : undefined;
  expect(await list()).toHaveLength(120);
});

test.each([400, 401, 403, 404, 410])(
  "a Link to a page that is not there (%i) is replaced by `last`",
  async (status) => {
    await start(120, 50);
    registry.faults.guard = ({ url }) => {
      if (url.startsWith("/elsewhere")) return { status };
      return { headers: { link: '</elsewhere?last=x>; rel="next"' } };
    };
    expect(await list()).toHaveLength(120);
  },
);

test.each(["", "last=t000049", '</v2/a/tags/list?last=t000049>; rel="next'])(
  "a Link that cannot be understood (%j) means that there is more, or that there may be",
  async (link) => {
    await start(120, 50);
    registry.faults.guard = () => ({ headers: { link } });
    expect(await list()).toHaveLength(120);
  },
);

test("a registry that announces more and gives it in no way has an incomplete list", async () => {
  await start(1);
  registry.faults.add({ times: 9, ...page(["a", "b"], '<https://internal.example/>; rel="next"') });
  await expect(list()).rejects.toThrow(/incomplete: it begins anew when asked for what is after "b"/);
  registry.faults.clear();
  registry.faults.add(page(["a", "b"], '<https://internal.example/>; rel="next"'), { times: 9, status: 400 });
  await expect(list()).rejects.toThrow(/incomplete: it refuses to go on after "b"/);
});

test("what is not a tag is passed over", async () => {
  await start(1);
  registry.faults.add(page(["ok", 7, "../x", "", null, "-x", "v1.0"]));
  expect(await list()).toEqual(["ok", "v1.0"]);
});

test("a page that breaks off is read again", async () => {
  await start(3, 2);
  registry.faults.add({ cutAfterBytes: 5 });
  expect(await list()).toHaveLength(3);
});

test.each<[string, object[], string]>([
  [
    "a circle",
    [page(["a"], '</v2/a/tags/list?x>; rel="next"'), { times: 9, ...page(["b"], '</v2/a/tags/list?x>; rel="next"') }],
    "RegistryResponseInvalid",
  ],
  [
    "too many tags",
    [page(thousand("a"), '</v2/a/tags/list?x>; rel="next"'), page(thousand("b"))],
    "RegistryResponseInvalid",
  ],
  ["no JSON", [{ status: 200, body: "<html>" }], "RegistryResponseInvalid"],
  ["no list", [page("all")], "RegistryResponseInvalid"],
  ["no repository", [{ status: 404, body: '{"errors":[{"code":"NAME_UNKNOWN"}]}' }], "NotFound"],
])("%s", async (_, faults, code) => {
  await start(1);
  registry.faults.add(...faults);
  await expect(list(1500)).rejects.toMatchObject({ code });
});

test("pages that never end are given up", async () => {
  await start(1);
  let at = 0;
  const next = (): object => page([`a${at}`], `</v2/a/tags/list?page=${at++}>; rel="next"`);
  registry.faults.add(...Array.from({ length: 100 }, next));
  await expect(list(500)).rejects.toMatchObject({ code: "RegistryResponseInvalid" });
  expect(registry.requests.length).toBeLessThan(20);
});
