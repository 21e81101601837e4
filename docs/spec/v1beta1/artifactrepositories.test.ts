import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { formatIssues } from "../../../api/v1beta1/issues.ts";
import { parseArtifactRepository } from "../../../api/v1beta1/parse.ts";
import { resourceSchema } from "../../../crds/crd.ts";
import { fieldsOf } from "../../../crds/field-table.ts";
import { withFieldTables } from "../../../crds/generate.ts";

const text = readFileSync(join(import.meta.dirname, "artifactrepositories.md"), "utf8");
const prose = text.slice(0, text.indexOf("## All fields"));

type Example = Record<string, unknown> & { kind?: string; spec?: Record<string, unknown> };

const blocks = [...prose.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = ""]) => yaml);
const documents = blocks.flatMap((yaml) => parseAllDocuments(yaml).map((document) => document.toJS() as Example));
/** The examples that are, or are part of, an ArtifactRepository. */
const examples = documents.filter(({ kind }) => kind === undefined || kind === "ArtifactRepository");

/** A whole object around an example that shows only its spec or status. */
function completed(example: Example): unknown {
  const required = { url: "oci://registry.example/app", interval: "10m" };
  const whole = { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "example" } };
  return { ...whole, ...example, spec: { ...required, ...example.spec } };
}

/** Paths of all fields in `value`, lists written as `[]`. */
function pathsIn(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path].concat(value.flatMap((item) => pathsIn(item, `${path}[]`)));
  if (typeof value !== "object" || value === null) return [path];
  return [path].concat(Object.entries(value).flatMap(([key, child]) => pathsIn(child, `${path}.${key}`)));
}

describe("the examples", () => {
  it.each(examples.map((example): [string, Example] => [JSON.stringify(example).slice(0, 70), example]))(
    "%s … is valid",
    (_, example) => {
      const parsed = parseArtifactRepository(completed(example));
      expect("issues" in parsed ? formatIssues(parsed.issues) : "").toBe("");
    },
  );

  it("show every field", () => {
    const shown = new Set(examples.flatMap((example) => pathsIn(example, "")));
    const { spec = {}, status = {} } = resourceSchema().properties ?? {};
    const fields = [...fieldsOf(spec, ".spec"), ...fieldsOf(status, ".status")].map(({ path }) => path);
    expect(fields.filter((path) => !shown.has(path))).toEqual([]);
    expect(fields.length).toBeGreaterThan(100);
  });

  it("show every choice of every field", () => {
    const { spec = {} } = resourceSchema().properties ?? {};
    const choices = fieldsOf(spec, ".spec").flatMap(({ schema }) => (schema["enum"] ?? []) as string[]);
    expect(choices.filter((choice) => !prose.includes(choice))).toEqual([]);
  });
});

describe("the text", () => {
  it("names every field of the spec, by its path or in its section", () => {
    const { spec = {} } = resourceSchema().properties ?? {};
    const missing = fieldsOf(spec, ".spec").filter(
      ({ path }) => !prose.includes(`\`${path}\``) && !prose.includes(`${path.split(".").at(-1)}`),
    );
    expect(missing.map(({ path }) => path)).toEqual([]);
  });

  it("has the field tables that `npm run generate` writes", () => {
    expect(text).toBe(withFieldTables(text));
  });

  it("links to headings that exist", () => {
    const anchors = new Set(
      [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
        title
          .toLowerCase()
          .replaceAll(/[^\w\s-]/g, "")
          .replaceAll(" ", "-"),
      ),
    );
    const links = [...prose.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  });

  it("links to files that exist", () => {
    const files = [...prose.matchAll(/\]\((\.[^)#]+)\)/g)].map(([, file = ""]) => file);
    expect(files.filter((file) => !existsSync(join(import.meta.dirname, file)))).toEqual([]);
  });
});
