import { expect, test } from "vitest";
import { codeOf } from "../errors.ts";
import { environmentProxy, proxyUrl } from "./proxy.ts";

const proxied = (target: string, noProxy: string): boolean =>
  environmentProxy(new URL(target), { httpProxy: "http://p:1", httpsProxy: "http://p:2", noProxy }) !== undefined;

test.each<[rule: string, target: string, used: boolean]>([
  ["", "https://ghcr.io", true],
  ["*", "https://ghcr.io", false],
  ["ghcr.io", "https://ghcr.io", false],
  ["ghcr.io", "https://pkg.ghcr.io", false],
  ["ghcr.io", "https://notghcr.io", true],
  [".ghcr.io", "https://ghcr.io", true],
  [".ghcr.io", "https://pkg.ghcr.io", false],
  ["*.ghcr.io", "https://pkg.ghcr.io", false],
  ["GHCR.IO", "https://ghcr.io", false],
  ["ghcr.io:443", "https://ghcr.io", false],
  ["ghcr.io:5000", "https://ghcr.io", true],
  ["a.example, ghcr.io", "https://ghcr.io", false],
  ["10.0.0.0/8", "https://10.1.2.3:5000", false],
  ["10.0.0.0/8", "https://11.1.2.3:5000", true],
  ["10.0.0.0/8", "https://ten.example", true],
  ["10.1.2.3", "http://10.1.2.3", false],
  ["10.1.2.3:81", "http://10.1.2.3", true],
  ["fd00::/8", "https://[fd12::1]:5000", false],
  ["fd12::1", "https://[fd12:0::1]", false],
  ["[fd12::1]:5000", "https://[fd12::1]:5000", false],
  ["[fd12::1]:5000", "https://[fd12::1]", true],
  ["::ffff:10.0.0.1", "https://10.0.0.1", false],
  ["nonsense/99", "https://10.0.0.1", true],
  ["", "http://localhost:5000", false],
  ["", "http://127.0.0.1:5000", false],
  ["", "http://[::1]:5000", false],
])("NO_PROXY=%s and %s: proxied %s", (rule, target, used) => {
  expect(proxied(target, rule)).toBe(used);
});

test("the proxy goes by the target's scheme", () => {
  const settings = { httpProxy: "http://plain:1", httpsProxy: "http://tls:2" };
  expect(environmentProxy(new URL("https://a.example"), settings)?.address).toBe("http://tls:2");
  expect(environmentProxy(new URL("http://a.example"), settings)?.address).toBe("http://plain:1");
  expect(environmentProxy(new URL("https://a.example"), { httpProxy: "http://plain:1" })).toBeUndefined();
});

test("addresses need no scheme, and user and password are escaped", () => {
  expect(proxyUrl({ address: "proxy.example:3128" }).href).toBe("http://proxy.example:3128/");
  expect(proxyUrl({ address: "https://proxy.example", username: "a@b", password: "p:/" }).href).toBe(
    "https://a%40b:p%3A%2F@proxy.example/",
  );
});

test.each(["socks5://user:secret@p:1", "http://", "::"])("%s is refused without being repeated", (address) => {
  let thrown: unknown;
  try {
    proxyUrl({ address });
  } catch (error) {
    thrown = error;
  }
  expect(codeOf(thrown)).toBe("InvalidSpec");
  expect(String(thrown)).not.toContain("secret");
});
