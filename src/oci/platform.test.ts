import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { formatPlatform, matchesPlatform, parsePlatform } from "./platform.ts";

describe("platforms", () => {
  it.each([
    ["linux/amd64", { os: "linux", architecture: "amd64" }],
    ["linux/arm64/v8", { os: "linux", architecture: "arm64", variant: "v8" }],
  ])("%s", (text, platform) => {
    expect(parsePlatform(text)).toEqual(platform);
    expect(formatPlatform(platform)).toBe(text);
  });

  it.each(["", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x"])("%j is none", (text) => {
    let code = "taken";
    try {
      parsePlatform(text);
    } catch (error) {
      code = codeOf(error);
    }
    expect(code).toBe("InvalidSpec");
  });

  it("show the version of the system", () => {
    expect(formatPlatform({ os: "windows", architecture: "amd64", osVersion: "10.0.1" })).toBe(
      "windows/amd64 (10.0.1)",
    );
  });

  it.each([
    ["linux/amd64", "linux/amd64", true],
    ["linux/amd64", "linux/arm64", false],
    ["linux/amd64", "windows/amd64", false],
    ["linux/amd64", "linux/amd64/v3", true],
    ["linux/amd64/v3", "linux/amd64", false],
    ["linux/amd64/v1", "linux/amd64", true],
    ["linux/arm64", "linux/arm64/v8", true],
    ["linux/arm64/v8", "linux/arm64", true],
    ["linux/arm64/8", "linux/arm64/v8", true],
    ["linux/arm64/v9", "linux/arm64/v8", false],
    ["linux/arm", "linux/arm/v6", true],
    ["linux/arm/v7", "linux/arm", true],
    ["linux/arm/v6", "linux/arm/v7", false],
    ["linux/arm/7", "linux/arm/v7", true],
    ["Linux/AMD64", "linux/amd64", true],
    ["linux/x86_64", "linux/amd64", true],
    ["linux/aarch64", "linux/arm64", true],
    ["macos/arm64", "darwin/arm64", true],
    ["unknown/unknown", "unknown/unknown", true],
    ["linux/amd64", "unknown/unknown", false],
  ])("%s takes %s: %s", (wanted, offered, expected) => {
    expect(matchesPlatform(parsePlatform(wanted), parsePlatform(offered))).toBe(expected);
  });

  it("an index that states nothing matches nothing", () => {
    expect(matchesPlatform(parsePlatform("linux/amd64"), { os: "", architecture: "" })).toBe(false);
  });
});
