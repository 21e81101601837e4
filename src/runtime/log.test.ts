import { describe, expect, it } from "vitest";
import { codeOf, CodedError } from "../errors.ts";
import { createLogger, type Logger, type LogOptions } from "./log.ts";

const kind = { group: "source.strata.dev", kind: "ArtifactRepository" };
const key = { namespace: "apps", name: "podinfo" };
const about = {
  controller: "artifactrepository",
  controllerGroup: "source.strata.dev",
  controllerKind: "ArtifactRepository",
  ArtifactRepository: key,
  ...key,
};

function loggerOf(
  options: Partial<LogOptions> = {},
): Logger & { readonly lines: string[]; readonly parsed: () => unknown[] } {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    encoding: "json",
    kind,
    write: (line) => lines.push(line),
    now: () => new Date("2026-11-21T08:00:00.123Z"),
    ...options,
  });
  return { ...logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as unknown) };
}

describe("createLogger", () => {
  it("writes a line in Flux's shape", () => {
    const { log, lines } = loggerOf();
    log("info", "stored artifact", { ...key, digest: "sha256:00", layers: 3, nothing: undefined });
    expect(lines).toEqual([
      '{"level":"info","ts":"2026-11-21T08:00:00.123Z","controller":"artifactrepository","controllerGroup":"source.strata.dev","controllerKind":"ArtifactRepository",' +
        '"ArtifactRepository":{"name":"podinfo","namespace":"apps"},"namespace":"apps","name":"podinfo","digest":"sha256:00","layers":3,"msg":"stored artifact"}\n',
    ]);
  });

  it("says nothing of an object where there is none", () => {
    const { log, parsed } = loggerOf();
    log("error", "listening");
    log("error", "watching", { code: "KubeUnreachable" });
    expect(parsed()).toEqual([
      { level: "error", ts: "2026-11-21T08:00:00.123Z", msg: "listening" },
      { level: "error", ts: "2026-11-21T08:00:00.123Z", msg: "watching", code: "KubeUnreachable" },
    ]);
  });

  it("marks what one reconcile logs, also when several run at once", async () => {
    const { log, within, parsed } = loggerOf();
    const work = (name: string) => async (): Promise<string> => {
      log("info", `${name} begins`);
      await new Promise((done) => setTimeout(done, 2));
      log("info", `${name} ends`, { because: "edited" });
      return name;
    };
    expect(
      await Promise.all([
        within(key, work("podinfo")),
        within({ ...key, name: "other" }, work("other")),
        within(key, work("podinfo")),
      ]),
    ).toEqual(["podinfo", "other", "podinfo"]);
    log("info", "after");
    const lines = parsed() as { msg: string; name?: string; reconcileID?: string }[];
    expect(lines[0]).toEqual({
      level: "info",
      ts: "2026-11-21T08:00:00.123Z",
      msg: "podinfo begins",
      ...about,
      reconcileID: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(lines.filter(({ msg, name }) => name !== undefined && !msg.startsWith(name))).toEqual([]);
    const ids = lines.map(({ reconcileID }) => reconcileID);
    expect(new Set(ids.slice(0, 3)).size).toBe(3);
    expect(new Set(ids.slice(3, 6))).toEqual(new Set(ids.slice(0, 3)));
    expect(ids[6]).toBeUndefined();
  });

  it.each([
    ["trace", ["trace", "debug", "info", "error"]],
    ["debug", ["debug", "info", "error"]],
    ["info", ["info", "error"]],
    ["error", ["error"]],
  ])("at level %s", (level, expected) => {
    const { log, parsed } = loggerOf({ level });
    for (const each of ["trace", "debug", "info", "error"] as const) log(each, "message");
    expect(parsed().map((line) => (line as { level: string }).level)).toEqual(expected);
  });

  it("takes of an error only its message", () => {
    const { log, lines, parsed } = loggerOf();
    const error = Object.assign(new Error("refused"), { config: { headers: { authorization: "Bearer s3cret" } } });
    log("error", "failed", {
      error: new CodedError("RegistryUnreachable", "no answer", { cause: error }),
      other: error,
    });
    expect(parsed()).toMatchObject([{ error: "no answer", other: "refused" }]);
    expect(lines.join("")).not.toContain("s3cret");
  });

  it("cuts what is far too long, and stays on one line", () => {
    const { log, lines, parsed } = loggerOf();
    log("info", "x".repeat(20_000), { title: "y\n".repeat(20_000) });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.indexOf("\n")).toBe(lines[0]!.length - 1);
    const { msg, title } = parsed()[0] as { msg: string; title: string };
    for (const text of [msg, title])
      expect([text.length > 16_000, Buffer.byteLength(text) <= 16_384]).toEqual([true, true]);
  });

  it("does not take a message for a format", () => {
    const { log, parsed } = loggerOf();
    log("info", "100%s %d %j done", { a: "b" });
    expect(parsed()).toMatchObject([{ msg: "100%s %d %j done", a: "b" }]);
  });
});

describe("for people", () => {
  it("writes JSON that a terminal only shows, and that is the same to a program", () => {
    const { log, lines, parsed } = loggerOf();
    const text = "\u001b[31m\u009b2J\u202e\u2028\u200b\ud800\u{e0041} é😀";
    log("info", text, { title: text });
    expect(lines[0]).toMatch(/^[\x20-\x7eé😀]+\n$/u);
    expect(parsed()).toMatchObject([{ msg: text, title: text }]);
  });

  it("writes columns that no message can break", () => {
    const { log, lines } = loggerOf({ encoding: "console" });
    log("info", "listening");
    log("error", "title \u001b[31mred\u001b[0m\nsecond\u2028line", { digest: "sha256:00", title: "\u009b31m" });
    expect(lines).toEqual([
      "2026-11-21T08:00:00.123Z\tINFO\tlistening\n",
      '2026-11-21T08:00:00.123Z\tERROR\ttitle \\u{1b}[31mred\\u{1b}[0m\\u{a}second\\u{2028}line\t{"digest":"sha256:00","title":"\\u009b31m"}\n',
    ]);
  });
});

describe("options", () => {
  it.each([[{ level: "warn" }], [{ level: "" }], [{ level: "silent" }], [{ encoding: "text" }]])(
    "%j are refused",
    (wrong) => {
      let code = "none";
      try {
        loggerOf(wrong);
      } catch (error) {
        code = codeOf(error);
      }
      expect(code).toBe("InvalidSpec");
    },
  );
});
