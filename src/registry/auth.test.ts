import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { Credential, CredentialProvider } from "../credentials/provider.ts";
import { messageOf } from "../errors.ts";
import type { AuthOptions } from "../testing/registry/auth.ts";
import { startRegistry, testCa, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";
import type { RegistryClient } from "./client.ts";

const signal = new AbortController().signal;
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const start = async (auth: Partial<AuthOptions> = {}, options: RegistryOptions = {}): Promise<TestRegistry> => {
  const registry = await startRegistry({
    ...options,
    auth: { kind: "token", accounts: { ann: { password: "s3cret" } }, ...auth },
  });
  for (const name of ["a", "b"]) registry.store.putArtifact(name, { tag: "v1" });
  opened.push(registry);
  return registry;
};
const client = (): RegistryClient => {
  const one = testClient();
  opened.push(one);
  return one;
};
const provide = (...credentials: (Credential | undefined)[]): CredentialProvider & { asked: number } => {
  const provider = {
    asked: 0,
    resolve: () => Promise.resolve(credentials[Math.min(provider.asked++, credentials.length - 1)]),
  };
  return provider;
};
const ann = (password = "s3cret"): Credential => ({ kind: "basic", username: "ann", password });
const asked = (registry: TestRegistry): string[] =>
  registry.requests.map(
    ({ method, path, status }) =>
      `${method} ${
        path
          .split("?")[0]
          ?.replace(/^\/v2\/(?=.)/, "")
          .replace("/v2/", "/") ?? ""
      } ${status}`,
  );

test("Basic: learnt from the first 401, sent along from then on", async () => {
  const registry = await start({ kind: "basic" });
  const one = client();
  const credentials = provide(ann());
  await testRepository(registry, "a", { client: one, credentials }).resolve("v1", signal);
  await testRepository(registry, "b", { client: one, credentials }).resolve("v1", signal);
  expect(asked(registry)).toEqual(["HEAD a/manifests/v1 401", "HEAD a/manifests/v1 200", "HEAD b/manifests/v1 200"]);
});

test("a token: challenge and token are remembered, for the next repository the challenge alone", async () => {
  const registry = await start();
  const one = client();
  const open = (name: string): ReturnType<typeof testRepository> =>
    testRepository(registry, name, { client: one, credentials: provide(ann()) });
  await open("a").resolve("v1", signal);
  await open("a").resolve("v1", signal);
  await open("b").resolve("v1", signal);
  expect(asked(registry)).toEqual([
    "HEAD a/manifests/v1 401",
    "GET /token 200",
    "HEAD a/manifests/v1 200",
    "HEAD a/manifests/v1 200",
    "GET /token 200",
    "HEAD b/manifests/v1 200",
  ]);
});

test("anonymous tokens are got without credentials", async () => {
  const registry = await start({ anonymous: (_, action) => action === "pull" });
  await testRepository(registry, "a", { client: client() }).resolve("v1", signal);
  expect(registry.requests.map((request) => request.headers.authorization?.split(" ")[0])).toEqual([
    undefined,
    undefined,
    "Bearer",
  ]);
});

test.each([
  ["a refresh token", { kind: "identityToken", token: "id-1" } as const, "refresh_token"],
  ["a password, where GET is not taken", ann(), "password"],
])("OAuth2: %s", async (_, credential, grant) => {
  const registry = await start({ identityTokens: { "id-1": "ann" }, field: "access_token" });
  registry.faults.add({ method: "GET", path: /^\/token/, status: 405 });
  await testRepository(registry, "a", { client: client(), credentials: provide(credential) }).resolve("v1", signal);
  expect(asked(registry).filter((line) => line.includes("token"))).toEqual([
    ...(grant === "password" ? ["GET /token 405"] : []),
    "POST /token 200",
  ]);
});

test("a registry's own token is sent as it is", async () => {
  const registry = await start();
  registry.auth?.issued.set("mine", { account: "ann", scopes: ["a:pull"], expiresAt: Infinity });
  await testRepository(registry, "a", {
    client: client(),
    credentials: provide({ kind: "bearer", token: "mine" }),
  }).resolve("v1", signal);
  expect(asked(registry)).toEqual(["HEAD a/manifests/v1 401", "HEAD a/manifests/v1 200"]);
});

test("many requests at once share one token", async () => {
  const registry = await start();
  const one = client();
  const open = (): ReturnType<typeof testRepository> =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  await open().resolve("v1", signal);
  registry.auth?.issued.clear();
  await Promise.all(Array.from({ length: 20 }, () => open().resolve("v1", signal)));
  expect(asked(registry).filter((line) => line.includes("token"))).toHaveLength(2);
});

test("one waiter's abort does not take the token from the others", async () => {
  const registry = await start();
  registry.faults.add({ path: /^\/token/, delayMs: 60 });
  const one = client();
  const open = (): ReturnType<typeof testRepository> =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  const abort = new AbortController();
  const first = open().resolve("v1", abort.signal);
  const second = open().resolve("v1", signal);
  setTimeout(() => abort.abort(), 30);
  await expect(first).rejects.toMatchObject({ code: "Aborted" });
  await second;
  expect(asked(registry).filter((line) => line.includes("token"))).toHaveLength(1);
});

test("one tenant's timeout does not fail another who waits for the same token", async () => {
  const registry = await start();
  registry.faults.add({ path: /^\/token/, delayMs: 300 });
  const one = client();
  const [b, a] = [40, 5000].map((timeoutMs) =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()), timeoutMs })
      .resolve("v1", signal)
      .then(
        () => "resolved",
        (error: unknown) => (error as { code: string }).code,
      ),
  );
  expect(await a).toBe("resolved");
  expect(["resolved", "RegistryTimeout"]).toContain(await b);
});

describe("a repository whose challenge leads nowhere", () => {
  /** Names a token endpoint of its own, by the same registry. */
  const misled = (registry: TestRegistry, name: string, realm: string): void =>
    registry.faults.add({
      path: new RegExp(`^/v2/${name}/manifests`),
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${realm}",service="s",scope="repository:${name}:pull"` },
    });
  const listening = async (onConnection: (socket: Socket) => void): Promise<string> => {
    const server = createServer(onConnection).listen(0, "127.0.0.1");
    await once(server, "listening");
    opened.push({ close: async () => void server.close() });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  };

  test.each<[string, () => Promise<string>]>([
    ["hangs", () => listening((socket) => opened.unshift({ close: async () => void socket.destroy() }))],
    ["hangs up", () => listening((socket) => socket.destroy())],
    ["talks something else", () => listening((socket) => socket.end("220 mail.example ESMTP\r\n"))],
    [
      "answers without a token",
      () => listening((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")),
    ],
    ["refuses", () => listening((socket) => socket.end("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n"))],
    ["is nowhere", () => Promise.resolve("http://127.0.0.1:1/token")],
  ])("does not keep others of the registry from theirs: its endpoint %s", async (_, realm) => {
    const registry = await start();
    misled(registry, "b", await realm());
    const one = client();
    const open = (name: string): ReturnType<typeof testRepository> =>
      testRepository(registry, name, { client: one, credentials: provide(ann()), timeoutMs: 1200 });
    const b = open("b")
      .resolve("v1", signal)
      .then(
        () => "resolved",
        () => "failed",
      );
    await expect.poll(() => asked(registry)).toContain("HEAD b/manifests/v1 401");
    // While b waits, and once it knows better.
    for (let round = 0; round < 2; round++) {
      await open("a").resolve("v1", signal);
      const before = registry.requests.length;
      await open("a").resolve("v1", signal);
      expect(
        asked(registry)
          .slice(before)
          .filter((line) => !line.includes(" b/")),
      ).toEqual(["HEAD a/manifests/v1 200"]);
      expect(await b).toBe("failed");
    }
  });
});

test("a token is shown to no registry that did not ask for it, though it names the same token endpoint", async () => {
  const [registry, other] = [await start(), await start()];
  const one = client();
  const open = (at: TestRegistry): ReturnType<typeof testRepository> =>
    testRepository(at, "a", { client: one, credentials: provide(ann()) });
  await open(registry).resolve("v1", signal);
  const scope = 'scope="repository:a:pull"';
  other.faults.add({
    path: /manifests/,
    status: 401,
    headers: { "www-authenticate": `Bearer realm="${registry.url}/token",service="${registry.host}",${scope}` },
    times: 2,
  });
  await open(other)
    .resolve("v1", signal)
    .catch(() => undefined);
  const tokens = registry.requests.filter(({ path }) => path.startsWith("/token"));
  expect(tokens).toHaveLength(2);
});

test("a token is renewed before it expires", async () => {
  const registry = await start({ ttlSeconds: 300, statedTtlSeconds: 0.05 });
  const one = client();
  const open = (): ReturnType<typeof testRepository> =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  await open().resolve("v1", signal);
  await new Promise((done) => setTimeout(done, 60));
  await open().resolve("v1", signal);
  expect(asked(registry)).toEqual([
    "HEAD a/manifests/v1 401",
    "GET /token 200",
    "HEAD a/manifests/v1 200",
    "GET /token 200",
    "HEAD a/manifests/v1 200",
  ]);
});

test("a token that ends early is replaced, once", async () => {
  const registry = await start();
  const one = client();
  const open = (): ReturnType<typeof testRepository> =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  await open().resolve("v1", signal);
  registry.auth?.issued.clear();
  registry.requests.length = 0;
  await open().resolve("v1", signal);
  expect(asked(registry)).toEqual(["HEAD a/manifests/v1 401", "GET /token 200", "HEAD a/manifests/v1 200"]);
  registry.requests.length = 0;
  registry.faults.add({
    times: 9,
    path: /manifests/,
    status: 401,
    headers: {
      "www-authenticate": `Bearer realm="${registry.url}/token",service="test-registry",scope="repository:a:pull"`,
    },
  });
  await expect(open().resolve("v1", signal)).rejects.toMatchObject({ code: "Unauthorized" });
  expect(asked(registry).slice(0, 3)).toEqual(["HEAD a/manifests/v1 401", "GET /token 200", "HEAD a/manifests/v1 401"]);
});

test("a missing expires_in counts as a minute", async () => {
  const registry = await start({ statedTtlSeconds: undefined });
  const one = client();
  const open = (): ReturnType<typeof testRepository> =>
    testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  await open().resolve("v1", signal);
  await open().resolve("v1", signal);
  expect(asked(registry).filter((line) => line.includes("token"))).toHaveLength(1);
});

test("tokens are not shared between credentials", async () => {
  const registry = await start({
    accounts: { ann: { password: "s3cret" }, bob: { password: "b", allows: () => false } },
  });
  const one = client();
  await testRepository(registry, "a", { client: one, credentials: provide(ann()) }).resolve("v1", signal);
  const bob = provide({ kind: "basic", username: "bob", password: "b" });
  await expect(
    testRepository(registry, "a", { client: one, credentials: bob }).resolve("v1", signal),
  ).rejects.toMatchObject({ code: "Unauthorized" });
  await expect(testRepository(registry, "a", { client: one }).resolve("v1", signal)).rejects.toMatchObject({
    code: "Unauthorized",
  });
});

test("nothing learnt crosses over to other TLS or proxy material", async () => {
  const registry = await start({ kind: "basic" });
  const one = client();
  await testRepository(registry, "a", { client: one, credentials: provide(ann()) }).resolve("v1", signal);
  registry.requests.length = 0;
  await testRepository(registry, "a", { client: one, credentials: provide(ann()), tls: { ca: testCa() } }).resolve(
    "v1",
    signal,
  );
  expect(registry.requests.map((request) => request.headers.authorization)).toEqual([undefined, expect.any(String)]);
});

test.each<[string, Partial<AuthOptions>, Credential | undefined, string]>([
  ["Basic, no credentials", { kind: "basic" }, undefined, "Unauthorized"],
  ["Basic, a wrong password", { kind: "basic" }, ann("wr0ng-pw"), "Unauthorized"],
  ["Basic, an identity token", { kind: "basic" }, { kind: "identityToken", token: "wr0ng-pw" }, "Unauthorized"],
  [
    "Basic, no right",
    { kind: "basic", accounts: { ann: { password: "s3cret", allows: () => false } } },
    ann(),
    "Forbidden",
  ],
  ["token, no credentials", {}, undefined, "Unauthorized"],
  ["token, a wrong password", {}, ann("wr0ng-pw"), "Unauthorized"],
  ["token, a wrong identity token", {}, { kind: "identityToken", token: "wr0ng-pw" }, "Unauthorized"],
  ["token, a wrong registry token", {}, { kind: "bearer", token: "wr0ng-pw" }, "Unauthorized"],
])("refused: %s", async (_, auth, credential, code) => {
  const registry = await start(auth);
  const failure: unknown = await testRepository(registry, "a", { client: client(), credentials: provide(credential) })
    .resolve("v1", signal)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code });
  expect(messageOf(failure)).not.toMatch(/wr0ng-pw|s3cret/);
  expect(registry.requests.length).toBeLessThanOrEqual(6);
});

test("secrets that a registry repeats do not get into messages", async () => {
  const registry = await start({ kind: "basic" });
  const basic = Buffer.from("ann:s3cret").toString("base64");
  registry.faults.add({
    after: 1,
    status: 403,
    body: JSON.stringify({ errors: [{ code: "DENIED", message: `you sent ${basic}, that is s3cret` }] }),
  });
  const failure: unknown = await testRepository(registry, "a", { client: client(), credentials: provide(ann()) })
    .fetch({ mediaType: "x", digest: `sha256:${"0".repeat(64)}`, size: 1 }, signal)
    .catch((error: unknown) => error);
  expect(messageOf(failure)).toContain("you sent ***, that is ***");
});

test("a rotated secret is taken up at the first refusal", async () => {
  const registry = await start({ kind: "basic" });
  const one = client();
  const credentials = provide(ann("old"), ann());
  await testRepository(registry, "b", { client: one, credentials: provide(ann()) }).resolve("v1", signal);
  await testRepository(registry, "a", { client: one, credentials }).resolve("v1", signal);
  expect(credentials.asked).toBe(2);
  expect(asked(registry).slice(2)).toEqual(["HEAD a/manifests/v1 401", "HEAD a/manifests/v1 200"]);
});

test("a provider that fails is asked again the next time", async () => {
  const registry = await start({ kind: "basic" });
  let calls = 0;
  const credentials: CredentialProvider = {
    resolve: () => (calls++ === 0 ? Promise.reject(new Error("not yet")) : Promise.resolve(ann())),
  };
  const repository = testRepository(registry, "a", { client: client(), credentials });
  await expect(repository.resolve("v1", signal)).rejects.toThrow("not yet");
  await repository.resolve("v1", signal);
});

test("a token server that is overloaded is waited for", async () => {
  const registry = await start();
  registry.faults.add(
    { path: /^\/token/, status: 503, headers: { "retry-after": "0" } },
    { path: /^\/token/, reset: true },
  );
  await testRepository(registry, "a", { client: client(), credentials: provide(ann()) }).resolve("v1", signal);
  expect(asked(registry).filter((line) => line.includes("token"))).toEqual([
    "GET /token 503",
    "GET /token 0",
    "GET /token 200",
  ]);
});

test.each<[string, string | Buffer, string]>([
  ["no JSON", "<html>", "RegistryResponseInvalid"],
  ["no token", "{}", "RegistryResponseInvalid"],
  ["null", "null", "RegistryResponseInvalid"],
  ["a line break in the token", '{"token":"a\\r\\nx: y"}', "RegistryResponseInvalid"],
  ["an answer without end", Buffer.alloc(200_000, " "), "RegistryResponseInvalid"],
])("a token server that answers %s", async (_, body, code) => {
  const registry = await start();
  registry.faults.add({ path: /^\/token/, status: 200, body });
  await expect(
    testRepository(registry, "a", { client: client(), credentials: provide(ann()) }).resolve("v1", signal),
  ).rejects.toMatchObject({ code });
});

test.each<[string, string, string]>([
  ["no URL", "token", "RegistryResponseInvalid"],
  ["a file", "file:///etc/passwd", "RegistryResponseInvalid"],
  ["a metadata service", "http://169.254.169.254/latest", "EndpointRefused"],
])("a realm that is %s is refused", async (_, realm, code) => {
  const registry = await start({ realm });
  await expect(
    testRepository(registry, "a", { client: client(), credentials: provide(ann()) }).resolve("v1", signal),
  ).rejects.toMatchObject({ code });
});

test("a realm on another host gets the credentials, and only it", async () => {
  const issued = new Map<string, never>();
  const tokens = await start({ issued });
  const registry = await start({ issued, realm: `${tokens.url}/token` });
  await testRepository(registry, "a", { client: client(), credentials: provide(ann()) }).resolve("v1", signal);
  expect(asked(tokens)).toEqual(["GET /token 200"]);
  expect(registry.requests.map((request) => request.headers.authorization?.split(" ")[0])).toEqual([
    undefined,
    "Bearer",
  ]);
});

test.each([307, 302])(
  "a token endpoint that sends on to another host (%i) does not take the credentials there",
  async (status) => {
    const thief = await start();
    const registry = await start({ identityTokens: { "id-1": "ann" } });
    registry.faults.add({
      path: /^\/token/,
      status,
      times: 9,
      headers: { location: `${thief.url}/token?service=test-registry` },
    });
    for (const credential of [ann(), { kind: "identityToken", token: "id-1" } as const]) {
      await expect(
        testRepository(registry, "a", { client: client(), credentials: provide(credential) }).resolve("v1", signal),
      ).rejects.toThrow();
    }
    expect(
      thief.requests.filter((request) => request.headers.authorization !== undefined || request.method === "POST"),
    ).toEqual([]);
  },
);

test("unusual scopes are asked for exactly as the registry names them", async () => {
  const registry = await start({ anonymous: () => true });
  const realm = `Bearer realm="${registry.url}/token",service="test-registry"`;
  registry.faults.add({ status: 401, headers: { "www-authenticate": `${realm},scope="aws repository:a:pull"` } });
  const one = client();
  await testRepository(registry, "a", { client: one }).resolve("v1", signal);
  expect(new URL(registry.requests[1]?.path ?? "", registry.url).searchParams.getAll("scope")).toEqual([
    "aws",
    "repository:a:pull",
  ]);
  await testRepository(registry, "a", { client: one }).resolve("v1", signal);
  // For another repository nothing can be guessed from that.
  await testRepository(registry, "b", { client: one }).resolve("v1", signal);
  expect(asked(registry).slice(3)).toEqual([
    "HEAD a/manifests/v1 200",
    "HEAD b/manifests/v1 401",
    "GET /token 200",
    "HEAD b/manifests/v1 200",
  ]);
});

test("Bearer goes before Basic, and unknown schemes are passed over", async () => {
  const registry = await start();
  const realm = `Bearer realm="${registry.url}/token",service="test-registry"`;
  registry.faults.add(
    { status: 401, headers: { "www-authenticate": `Negotiate, Basic realm="x", ${realm}` } },
    { times: 9, path: /blobs/, status: 401, headers: { "www-authenticate": "Negotiate" } },
  );
  const one = client();
  const repository = testRepository(registry, "a", { client: one, credentials: provide(ann()) });
  await repository.resolve("v1", signal);
  expect(registry.requests.at(-1)?.headers.authorization).toMatch(/^Bearer /);
  await expect(
    repository.fetch({ mediaType: "x", digest: `sha256:${"0".repeat(64)}`, size: 1 }, signal),
  ).rejects.toMatchObject({ code: "Unauthorized" });
});

interface Gate {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}
/** What a registry answers before it looks at the request itself; undefined: the request goes on. */
type Guard = (request: Gate, url: string) => { status: number; challenge?: string; body?: string } | undefined;

/** A registry behind a guard, which is where vendors differ. Tokens are `scope` as it was asked for. */
async function guarded(guard: Guard): Promise<TestRegistry> {
  const registry = await startRegistry();
  registry.store.putArtifact("a", { tag: "v1" });
  registry.faults.guard = ({ method, url, headers }) => {
    const { pathname, searchParams } = new URL(url, registry.url);
    if (pathname === "/token") {
      const scopes = searchParams.getAll("scope").join(" ");
      const refused = guard({ method, path: `/token ${scopes}`, authorization: headers.authorization }, registry.url);
      if (refused) return { status: refused.status, body: refused.body ?? "" };
      return { status: 200, body: JSON.stringify({ token: Buffer.from(scopes).toString("base64url") || "none" }) };
    }
    const answer = guard({ method, path: pathname, authorization: headers.authorization }, registry.url);
    return answer && { ...answer, headers: { "www-authenticate": answer.challenge } };
  };
  opened.push(registry);
  return registry;
}

const bearer = (url: string, scope = ""): string =>
  `Bearer realm="${url}/token",service="s"${scope === "" ? "" : `,scope="${scope}"`}`;
const scopeOf = (authorization: string | undefined): string =>
  Buffer.from(authorization?.replace(/^Bearer /, "") ?? "", "base64url").toString();
const isWrite = ({ method }: Gate): boolean => method !== "GET" && method !== "HEAD";
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;

/** Vendors whose refusals do not say what the specification says they should. */
const guards: Record<string, Guard> = {
  "hides what is private behind 404": ({ path, authorization }) =>
    authorization === basic
      ? undefined
      : path === "/v2/"
        ? { status: 401, challenge: 'Basic realm="x"' }
        : { status: 404 },
  "hides what is private behind 403": ({ path, authorization }, url) =>
    authorization !== undefined
      ? undefined
      : path === "/v2/"
        ? { status: 401, challenge: bearer(url) }
        : { status: 403 },
  "welcomes strangers at /v2/, and hides what is private": ({ path, authorization }) =>
    authorization === basic || (path === "/v2/" && authorization === undefined) ? undefined : { status: 404 },
  "welcomes strangers at /v2/, and asks who shows a password for a token": ({ path, authorization }, url) => {
    if (path.startsWith("/token") || authorization?.startsWith("Bearer")) return undefined;
    if (authorization === undefined) return path === "/v2/" ? undefined : { status: 403 };
    return { status: 401, challenge: bearer(url) };
  },
  "answers a narrow token 403 insufficient_scope": (gate, url) => {
    if (gate.authorization === undefined)
      return gate.path.startsWith("/token") ? undefined : { status: 401, challenge: bearer(url, "repository:a:pull") };
    if (!isWrite(gate) || scopeOf(gate.authorization).includes("push")) return undefined;
    return { status: 403, challenge: `${bearer(url, "repository:a:pull,push")},error="insufficient_scope"` };
  },
  "answers a narrow token 401 without a challenge": (gate, url) => {
    if (gate.path.startsWith("/token")) return undefined;
    if (gate.authorization === undefined) return { status: 401, challenge: bearer(url, "repository:a:pull") };
    return isWrite(gate) && !scopeOf(gate.authorization).includes("push") ? { status: 401 } : undefined;
  },
  "answers a narrow token with Basic, which it refuses": (gate, url) => {
    if (gate.path.startsWith("/token")) return undefined;
    if (gate.authorization === undefined) return { status: 401, challenge: bearer(url, "repository:a:pull") };
    const isNarrow = isWrite(gate) && !scopeOf(gate.authorization).includes("push");
    return isNarrow || gate.authorization.startsWith("Basic")
      ? { status: 401, challenge: 'Basic realm="x"' }
      : undefined;
  },
  "answers tokens with Basic, which it takes": (gate, url) => {
    if (gate.authorization === basic || gate.path.startsWith("/token")) return undefined;
    return { status: 401, challenge: gate.authorization ? 'Basic realm="x"' : bearer(url) };
  },
  "has a token endpoint that refuses unknown actions": (gate, url) => {
    if (gate.path.startsWith("/token")) return gate.path.includes("delete") ? { status: 400 } : undefined;
    return gate.authorization ? undefined : { status: 401, challenge: bearer(url, "repository:a:pull,push") };
  },
  "calls the repository by another name": (gate, url) => {
    if (gate.path.startsWith("/token")) return undefined;
    const scope = scopeOf(gate.authorization);
    const isEnough = scope.startsWith("repository:own/a:") && (!isWrite(gate) || scope.includes("push"));
    return isEnough ? undefined : { status: 401, challenge: bearer(url, "repository:own/a:pull") };
  },
  "has nothing at /v2/": ({ path, authorization }) =>
    path === "/v2/"
      ? { status: 404 }
      : authorization === basic
        ? undefined
        : { status: 401, challenge: 'Basic realm="x"' },
};

test.each(Object.keys(guards))("a registry that %s is read, written and deleted from", async (name) => {
  const registry = await guarded(guards[name]!);
  const repository = testRepository(registry, "a", { client: client(), credentials: provide(ann()) });
  const root = await repository.resolve("v1", signal, "read");
  const bytes = Buffer.concat((await (await repository.fetch(root, signal)).toArray()) as Buffer[]);
  await repository.pushManifest(root, bytes, "v2", signal);
  await repository.deleteManifest(root.digest, signal);
  expect(registry.store.manifest("a", "v2")).toBeUndefined();
});

test("Basic is shown once, at /v2/ alone, to a registry that has not asked for it", async () => {
  const shown: string[] = [];
  const registry = await guarded(({ path, authorization }) => {
    if (authorization === undefined) return undefined;
    shown.push(path);
    return { status: 400 };
  });
  const repository = testRepository(registry, "a", { client: client(), credentials: provide(ann()) });
  await repository.resolve("v1", signal, "read");
  for (const tag of ["gone", "never"])
    await expect(repository.resolve(tag, signal, "read")).rejects.toMatchObject({ code: "NotFound" });
  expect(shown).toEqual(["/v2/"]);
});

test("a token that was revoked is replaced where the 401 says nothing more", async () => {
  let tokens = 0;
  const registry = await startRegistry();
  opened.push(registry);
  const root = registry.store.putArtifact("a", { tag: "v1" });
  registry.faults.guard = ({ url, headers }) => {
    if (url.startsWith("/token")) return { status: 200, body: JSON.stringify({ token: `t${++tokens}` }) };
    if (headers.authorization === undefined)
      return { status: 401, headers: { "www-authenticate": bearer(registry.url, "repository:a:pull") } };
    return headers.authorization === "Bearer t1" && url.includes("sha256:") ? { status: 401 } : undefined;
  };
  const repository = testRepository(registry, "a", { client: client(), credentials: provide(ann()) });
  await repository.resolve("v1", signal);
  await (await repository.fetch(root, signal)).toArray();
  expect(tokens).toBe(2);
});

test("a registry that hangs at /v2/ for one caller does not decide for the next", async () => {
  const registry = await start({ kind: "basic" });
  registry.faults.add({ path: /^\/v2\/$/, stallAfterBytes: 0, delayMs: 400 });
  const one = client();
  const credentials = provide(ann());
  await testRepository(registry, "a", { client: one, credentials, timeoutMs: 100 })
    .resolve("v1", signal)
    .catch(() => 0);
  await testRepository(registry, "a", { client: one, credentials }).resolve("v1", signal);
});

test("a refusal says whose credentials were shown, and in the endpoint's words, why", async () => {
  const registry = await guarded(({ path, authorization }, url) => {
    if (!path.startsWith("/token")) return { status: 401, challenge: bearer(url, "repository:a:pull") };
    return authorization
      ? { status: 403, body: '{"errors":[{"code":"DENIED","message":"s3cret is stale"}]}' }
      : undefined;
  });
  const credentials = { ...provide(ann()), explain: () => Promise.resolve('those of Secret x/y, entry "z"') };
  await expect(testRepository(registry, "a", { client: client(), credentials }).resolve("v1", signal)).rejects.toThrow(
    /refuses the credentials: 403 DENIED: \*\*\* is stale; those of Secret x\/y, entry "z"$/,
  );
});
