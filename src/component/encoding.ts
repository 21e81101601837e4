import { parseDocument } from "yaml";
import { TarScanner } from "../archive/scanner.ts";
import { CodedError, messageOf } from "../errors.ts";
import { parseJson } from "../text/json.ts";
import { printable } from "../text/printable.ts";

type Encoding = "json" | "yaml" | "tar";

/** Media types of descriptors (ocm-spec, storage backend OCI, "Descriptor Encoding Formats"); the others are what OCM was called before. */
const encodings: Readonly<Record<string, Encoding>> = Object.fromEntries(
  [
    "application/vnd.ocm.software.component-descriptor.v2",
    "application/vnd.gardener.cloud.cnudie.component-descriptor.v2",
    "application/vnd.oci.gardener.cloud.cnudie.component-descriptor.config.v2",
  ].flatMap((base) => [
    [`${base}+json`, "json"],
    [`${base}+yaml`, "yaml"],
    [`${base}+yaml+tar`, "tar"],
  ]),
);

/** Some thousand resources; nothing else happens while they are read. YAML takes its reader far longer than JSON. */
export const maxDescriptorBytes = 2 * 1024 * 1024;
const maxYamlBytes = 512 * 1024;
const maxDepth = 64;
const maxValues = 100_000;

const tarFile = "component-descriptor.yaml";
const tarLimits = { maxEntries: 16, maxNameBytes: 4096 };

export function isDescriptorType(mediaType: string): boolean {
  return Object.hasOwn(encodings, mediaType);
}

/**
 * The value that a stranger's descriptor states. YAML is JSON's data model in other words: no aliases, no tags, no key twice.
 *
 * @param name of the component version, for messages
 * @throws ComponentInvalid
 */
export function decodeDescriptor(bytes: Buffer, mediaType: string, name: string): unknown {
  const fail: Fail = (problem, cause) =>
    new CodedError("ComponentInvalid", `${name}: its component descriptor ${problem}`, { cause });
  const encoding = encodings[mediaType];
  if (encoding === undefined) throw fail(`is of the media type ${printable(mediaType)}, which is not known`);
  const value = encoding === "json" ? fromJson(bytes, fail) : parseYaml(yamlOf(bytes, encoding, fail), fail);
  checkShape(value, fail);
  return value;
}

type Fail = (problem: string, cause?: unknown) => CodedError;

function textOf(bytes: Buffer, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw fail("is not UTF-8", cause);
  }
}

function fromJson(bytes: Buffer, fail: Fail): unknown {
  try {
    return parseJson(bytes, { maxDepth, maxValues });
  } catch (cause) {
    throw fail(messageOf(cause), cause);
  }
}

function parseYaml(bytes: Buffer, fail: Fail): unknown {
  if (bytes.length > maxYamlBytes)
    throw fail(`has ${bytes.length} bytes of YAML, more than ${maxYamlBytes}; store it as JSON`);
  const text = textOf(bytes, fail);
  try {
    const document = parseDocument(text, {
      schema: "core",
      strict: true,
      uniqueKeys: true,
      merge: false,
      resolveKnownTags: false,
      stringKeys: true,
      logLevel: "error",
    });
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) throw error;
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw fail(`is not plain YAML: ${printable(cause instanceof Error ? cause.message : "", 200)}`, cause);
  }
}

/** The oldest form: a tar with the YAML as its one file. */
function yamlOf(bytes: Buffer, encoding: "yaml" | "tar", fail: Fail): Buffer {
  if (encoding === "yaml") return bytes;
  const found: Buffer[][] = [];
  let isWanted = false;
  const scanner = new TarScanner(
    {
      entry: ({ type, name }) => {
        isWanted = type === "file" && name.replace(/^(?:\.?\/)+/, "") === tarFile;
        if (isWanted) found.push([]);
      },
      data: (chunk, start, end) => void (isWanted && found.at(-1)!.push(chunk.subarray(start, end))),
    },
    tarLimits,
  );
  try {
    scanner.push(bytes);
    scanner.finish();
  } catch (cause) {
    throw fail(`is not a tar that can be read`, cause);
  }
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) throw fail(`is a tar with ${found.length} files ${tarFile}, not one`);
  return Buffer.concat(only);
}

/** What no descriptor needs, and what JSON cannot say: both would be read in one way here and in another elsewhere. */
function checkShape(root: unknown, fail: Fail): void {
  const open: [value: unknown, depth: number][] = [[root, 1]];
  let values = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    values += 1;
    const problem = scalarProblem(value);
    if (problem !== undefined) throw fail(problem);
    if (typeof value !== "object" || value === null) continue;
    if (depth > maxDepth) throw fail(`is nested deeper than ${maxDepth}`);
    const entries = Object.entries(value);
    if (values + open.length + entries.length > maxValues) throw fail(`holds more than ${maxValues} values`);
    if (entries.some(([key]) => !key.isWellFormed())) throw fail("holds a key that is not Unicode");
    for (const [, child] of entries) open.push([child, depth + 1]);
  }
}

function scalarProblem(value: unknown): string | undefined {
  if (typeof value === "string" && !value.isWellFormed()) return "holds text that is not Unicode";
  return typeof value === "number" && !Number.isFinite(value) ? "holds a number that JSON does not have" : undefined;
}
