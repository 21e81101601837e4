import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runStrata } from "../../testing/command-io.ts";
import { commands } from "../commands.ts";

const dir = mkdtempSync(join(tmpdir(), "strata-completion-"));
const scripts = { bash: join(dir, "strata.bash"), zsh: join(dir, "_strata"), fish: join(dir, "strata.fish") };
beforeAll(async () => {
  for (const [shell, path] of Object.entries(scripts)) {
    const { code, stdout, stderr } = await runStrata(["completion", shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    writeFileSync(path, stdout);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function has(shell: string): boolean {
  try {
    execFileSync(shell, ["-c", "exit 0"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** What bash would offer, as it cuts the line into words. */
function offered(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _strata; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync("bash", ["--norc", "-uc", script, "bash", scripts.bash, "strata", ...words], {
    encoding: "utf8",
  });
  return text.split("\n").filter((word) => word !== "");
}

describe("completion in a real bash", () => {
  it("offers every command", () => {
    expect(offered("")).toEqual([...Object.keys(commands), "--help", "--version"]);
  });

  it.each(Object.keys(commands))("offers every flag of %s", async (name) => {
    const { options } = await commands[name]!.load();
    const flags = Object.entries(options).flatMap(([long, { short }]) =>
      (short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`]).filter((flag) => flag.length !== "--x".length),
    );
    expect(offered(name, "-").toSorted()).toEqual([...flags, "--color", "--help", "-h"].toSorted());
  });

  it.each([
    [["tr"], ["tree"]],
    [["nothing-begins-so"], []],
    [["build", "--outp"], ["--output"]],
    [
      ["build", "--output", ""],
      ["json", "yaml"],
    ],
    [["build", "--output", "j"], ["json"]],
    [
      ["build", "--output", "="],
      ["json", "yaml"],
    ],
    [["build", "--output", "=", "y"], ["yaml"]],
    [["build", "--match", "F"], ["First"]],
    [
      ["get", "--color", ""],
      ["auto", "always", "never"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["help", "bu"],
      ["build", "bundle"],
    ],
    // Files are what bash itself offers where nothing is.
    [["build", "-f", "x"], []],
    [["build", "oci"], []],
  ])("offers for %j %j", (words, expected) => {
    expect(offered(...words)).toEqual(expected);
  });
});

describe.each([
  ["zsh", ["-f", "-n"]],
  ["fish", ["--no-config", "--no-execute"]],
] as const)("completion for %s", (shell, check) => {
  it.skipIf(!has(shell))("is a script of that shell", () => {
    execFileSync(shell, [...check, scripts[shell]], { stdio: "pipe" });
  });
});

it.skipIf(!has("fish"))("a real fish offers commands, flags and values", () => {
  const complete = (line: string): string[] =>
    execFileSync("fish", ["--no-config", "-c", `source ${scripts.fish}; complete -C ${JSON.stringify(line)}`], {
      encoding: "utf8",
    })
      .split("\n")
      .map((row) => row.split("\t")[0]!)
      .filter((word) => word !== "");
  expect(complete("strata tr")).toEqual(["tree"]);
  expect(complete("strata build --outp")).toEqual(["--output"]);
  expect(complete("strata build --output ")).toEqual(["json", "yaml"]);
});

it.each([[[]], [["csh"]], [["constructor"]], [["bash", "zsh"]]])("takes one shell, not %j", async (shell) => {
  const { code, stdout, stderr } = await runStrata(["completion", ...shell]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("bash, zsh or fish");
});
