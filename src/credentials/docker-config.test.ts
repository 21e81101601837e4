import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { findCredential, parseDockerCfg, parseDockerConfig } from "./docker-config.ts";
import type { Credential } from "./provider.ts";

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString("base64") });
const auths = (entries: Record<string, unknown>) => parseDockerConfig(bytes({ auths: entries }), "Secret apps/x").auths;
const basic = (username: string, password: string): Credential => ({ kind: "basic", username, password });

function find(entries: Record<string, unknown>, image: string): Credential | undefined {
  const slash = image.indexOf("/");
  return findCredential(auths(entries), { registry: image.slice(0, slash), repository: image.slice(slash + 1) });
}

describe("findCredential", () => {
  it.each([
    ["registry.example", "registry.example/app"],
    ["https://registry.example", "registry.example/app"],
    ["http://registry.example/", "registry.example/team/app"],
    ["https://registry.example/v1/", "registry.example/app"],
    ["https://registry.example/v2", "registry.example/app"],
    ["REGISTRY.example", "registry.example/app"],
    ["registry.example:443", "registry.example/app"],
    ["registry.example", "registry.example:443/app"],
    ["registry.example:5000", "registry.example:5000/app"],
    ["[::1]:5000", "[::1]:5000/app"],
    ["https://index.docker.io/v1/", "docker.io/library/alpine"],
    ["docker.io", "index.docker.io/org/app"],
    ["registry-1.docker.io", "registry.hub.docker.com/org/app"],
    ["registry.example/team", "registry.example/team/app"],
    ["registry.example/team/app", "registry.example/team/app"],
    ["https://registry.example/v2/team/", "registry.example/team/app"],
    ["*.azurecr.io", "mine.azurecr.io/app"],
    ["*-docker.pkg.dev", "europe-docker.pkg.dev/app"],
    ["eu*w*t.example", "eu-west.example/app"],
  ])("the entry %s is for %s", (key, image) => {
    expect(find({ [key]: auth("u:p") }, image)).toEqual(basic("u", "p"));
  });

  it.each([
    ["registry.example", "registry.example:5000/app"],
    ["registry.example:5000", "registry.example/app"],
    ["registry.example", "other.registry.example/app"],
    ["registry.example", "registry.example.evil/app"],
    ["registry.example/team", "registry.example/team-of-others/app"],
    ["registry.example/team/app", "registry.example/team"],
    ["*.azurecr.io", "a.b.azurecr.io/app"],
    ["*.io", "mine.azurecr.io/app"],
    ["a*a.example", "a.example/app"],
    ["*", "registry.example/app"],
  ])("the entry %s is not for %s", (key, image) => {
    expect(find({ [key]: auth("u:p") }, image)).toBeUndefined();
  });

  it("takes the longest path, whatever the order", () => {
    const entries = {
      "r.example": auth("host:p"),
      "r.example/team/app": auth("app:p"),
      "r.example/team": auth("team:p"),
    };
    expect(find(entries, "r.example/team/app")).toEqual(basic("app", "p"));
    expect(find(entries, "r.example/team/other")).toEqual(basic("team", "p"));
    expect(find(entries, "r.example/other")).toEqual(basic("host", "p"));
  });

  it("prefers the host spelt out over a pattern, and the first of equals", () => {
    expect(find({ "*.example": auth("glob:p"), "r.example": auth("exact:p") }, "r.example/a")).toEqual(
      basic("exact", "p"),
    );
    expect(find({ "r.example": auth("first:p"), "https://r.example/v1/": auth("second:p") }, "r.example/a")).toEqual(
      basic("first", "p"),
    );
  });
});

describe("parseDockerConfig", () => {
  it.each<[string, unknown, Credential | undefined]>([
    ["auth", auth("user:pa:ss"), basic("user", "pa:ss")],
    [
      "auth with the padding of older Dockers",
      { auth: Buffer.from("user:pass\0\0").toString("base64") },
      basic("user", "pass"),
    ],
    ["auth broken into lines", { auth: "dXNl\ncjpw\n" }, basic("user", "p")],
    ["auth without padding", { auth: Buffer.from("u:pa").toString("base64url") }, basic("u", "pa")],
    ["username and password", { username: "u", password: "p" }, basic("u", "p")],
    ["auth before username", { username: "x", password: "y", ...auth("u:p") }, basic("u", "p")],
    ["an identity token", { ...auth("u:"), identitytoken: "refresh" }, { kind: "identityToken", token: "refresh" }],
    ["a registry token", { registrytoken: "bearer", identitytoken: "refresh" }, { kind: "bearer", token: "bearer" }],
    ["keys in any case", { identityToken: "refresh" }, { kind: "identityToken", token: "refresh" }],
    ["an empty password", auth("u:"), basic("u", "")],
    ["an empty entry", {}, undefined],
    ["an entry with an e-mail address alone", { email: "a@b.example" }, undefined],
  ])("reads %s", (_, entry, expected) => {
    expect(auths({ "r.example": entry })[0]?.credential).toEqual(expected);
  });

  it("reads the names of credential helpers", () => {
    const config = parseDockerConfig(
      bytes({
        credsStore: "secretservice",
        credHelpers: { "https://index.docker.io/v1/": "hub", "r.example": "", x: 1 },
      }),
      "config.json",
    );
    expect(config).toEqual({ auths: [], credHelpers: new Map([["docker.io", "hub"]]), credsStore: "secretservice" });
  });

  it("reads .dockercfg, which has no auths", () => {
    expect(parseDockerCfg(bytes({ "https://r.example/v1/": auth("u:p") }), "Secret a/b")).toEqual([
      {
        host: "r.example",
        path: "",
        credential: basic("u", "p"),
        source: "Secret a/b",
        entry: "https://r.example/v1/",
      },
    ]);
  });

  it.each<[string, unknown]>([
    ["no JSON", '{"auths": {"r.example": {"password": "hunter2"'],
    ["a list", ["hunter2"]],
    ["null", "null"],
    ["auths that is not a map", { auths: ["hunter2"] }],
    ["an entry that is not a map", { auths: { "r.example": "hunter2" } }],
    ["auth that is not base64", { auths: { "r.example": { auth: "hunter2!" } } }],
    ["auth without a colon", { auths: { "r.example": auth("hunter2") } }],
    ["a key with credentials in it", { auths: { "https://u:hunter2@r.example": { auth: "!" } } }],
    ["too many bytes", `{"x":"hunter2${"x".repeat(1024 * 1024)}"}`],
  ])("refuses %s and never shows it", (_, content) => {
    try {
      parseDockerConfig(bytes(content), "Secret apps/regcred, key .dockerconfigjson");
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CodedError);
      const { code, message, cause } = error as CodedError;
      expect(code).toBe("SecretInvalid");
      expect(message).toContain("apps/regcred");
      expect(`${message} ${String(cause)}`).not.toContain("hunter2");
    }
  });
});
