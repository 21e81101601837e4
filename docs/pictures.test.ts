import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { demoPicture, terminalPicture } from "../demo/terminal.ts";

const picture = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
const linesOf = (svg: string): string[] => [...svg.matchAll(/<text [^>]*>(.*?)<\/text>/g)].map(([, line = ""]) => line);

describe("a picture of a terminal", () => {
  it("shows text as text, and cuts a line that is too long", () => {
    const svg = terminalPicture("a < b", ["$ strata tree <&>", "x".repeat(500)]);
    expect(svg).toContain("<title>a &lt; b</title>");
    expect(linesOf(svg)).toEqual(["$ strata tree &lt;&amp;&gt;", `${"x".repeat(111)}…`]);
  });

  it("is made of the part of the demo that is about one artifact", () => {
    const object = (name: string): string =>
      `✓ ${name}\n    revision  1\n    selected  ${name}\n              a.yaml\n`;
    const objects = ["flux-app", "product-by-platform", "product-by-type", "product-timoni-module"].map(object);
    const output = `hello\n$ strata tree 127.0.0.1:1/a\nindex\nReconciled all\n${objects.join("\n")}`;
    const lines = linesOf(demoPicture(output)).filter((line) => line !== "");
    expect(lines.slice(0, 5)).toEqual([
      "$ strata tree registry.example/a",
      "index",
      "✓ product-by-platform",
      "    selected  product-by-platform",
      "              a.yaml",
    ]);
    expect(lines).toHaveLength(11);
    expect(() => demoPicture("nothing")).toThrow("the demo printed nothing that matches");
  });
});

describe("the pictures of README.md", () => {
  it.each(["overview.svg", "demo.svg"])("%s stands for itself and names no machine", (name) => {
    expect(picture(name)).toMatch(/<title[ >]/);
    expect(picture(name)).not.toMatch(/<script|<image|href=|url\(|127\.0\.0\.1|localhost|\/work\//);
  });

  it("overview.svg is drawn for light and for dark", () => {
    expect(picture("overview.svg")).toContain("@media (prefers-color-scheme: dark)");
  });

  it("demo.svg shows a tree and what was selected of it", () => {
    const lines = linesOf(picture("demo.svg"));
    expect(lines[0]).toBe("$ strata tree oci://registry.example/product:1.0.0 --insecure");
    expect(lines.filter((line) => line.startsWith("✓ "))).toHaveLength(3);
  });
});
