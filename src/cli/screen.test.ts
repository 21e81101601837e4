import { expect, it } from "vitest";
import { cliEnvironment } from "../config.ts";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry } from "../testing/registry/registry.ts";
import { paint, screenOf } from "./screen.ts";

it.each<[string, Record<string, string>, "auto" | "always" | "never", boolean, boolean]>([
  ["a terminal", {}, "auto", true, true],
  ["a file", {}, "auto", false, false],
  ["NO_COLOR", { NO_COLOR: "1" }, "auto", true, false],
  ["an empty NO_COLOR", { NO_COLOR: "" }, "auto", true, true],
  ["FORCE_COLOR", { FORCE_COLOR: "1" }, "auto", false, true],
  ["FORCE_COLOR=0", { FORCE_COLOR: "0" }, "auto", true, false],
  ["both", { FORCE_COLOR: "1", NO_COLOR: "1" }, "auto", true, false],
  ["a dumb terminal", { TERM: "dumb" }, "auto", true, false],
  ["--color=always against NO_COLOR", { NO_COLOR: "1" }, "always", false, true],
  ["--color=never against FORCE_COLOR", { FORCE_COLOR: "1" }, "never", true, false],
])("%s decides on colour", (_, env, wish, isTTY, expected) => {
  expect(screenOf({ isTTY, columns: 100 }, wish, cliEnvironment(env)).color).toBe(expected);
});

it.each<[string, Record<string, string>, boolean, number | undefined, number | undefined]>([
  ["the terminal's", {}, true, 100, 100],
  ["COLUMNS before it", { COLUMNS: "60" }, true, 100, 60],
  ["none of a file", { COLUMNS: "60" }, false, undefined, undefined],
  ["80 where it does not say", {}, true, undefined, 80],
  ["at least what can be read", { COLUMNS: "3" }, true, 100, 20],
  ["not what is not a number", { COLUMNS: "wide" }, true, 100, 100],
])("columns are %s", (_, env, isTTY, columns, expected) => {
  expect(screenOf({ isTTY, columns }, "auto", cliEnvironment(env)).columns).toBe(expected);
});

it("colour is added, and nothing else changes", () => {
  const painted = paint({ columns: undefined, color: true }, "bad", "FAILS");
  expect(painted).toBe("\u001B[31mFAILS\u001B[39m");
  expect(paint({ columns: undefined, color: false }, "bad", "FAILS")).toBe("FAILS");
});

it("a tree fits its terminal, and is whole in a file and with --all", async () => {
  await using registry = await startRegistry({ fixtures: true });
  const args = ["tree", `oci://${registry.host}/product:1.0.0`];
  const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));
  const [piped, narrow, all] = await Promise.all([
    runStrata(args),
    runStrata(args, { columns: 60, env: { NO_COLOR: "1" } }),
    runStrata([...args, "--all"], { columns: 60, env: { NO_COLOR: "1" } }),
  ]);
  expect(widest(piped.stdout)).toBeGreaterThan(80);
  const drawn = narrow.stdout.slice(0, narrow.stdout.indexOf("\n\n"));
  expect(widest(drawn)).toBeLessThanOrEqual(60);
  expect(drawn.split("\n").length).toBe(piped.stdout.slice(0, piped.stdout.indexOf("\n\n")).split("\n").length);
  expect(all.stdout).toMatch(/sha256:[0-9a-f]{64}/);
  expect(all.stdout).not.toContain("…");
});

it("--color works for every stream of a command", async () => {
  const { stderr, code } = await runStrata(["tree", "oci://127.0.0.1:1/a", "--color=always"]);
  expect(code).toBe(1);
  // A line on each wait may come before.
  expect(stderr.split("\n").some((line) => line.startsWith("\u001B[31merror:\u001B[39m "))).toBe(true);
  expect((await runStrata(["tree", "--nonsense", "--color", "always"])).stderr).toContain("\u001B[31m");
});
