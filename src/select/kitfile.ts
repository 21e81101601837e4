import { stringify } from "yaml";
import { isObject, type Json, parseJsonObject } from "../text/json.ts";

/** Fields of a part that its author did not write: they name the layer that holds it. */
const added: ReadonlySet<string> = new Set(["digest", "diffId"]);
/** Their values are the author's own, whatever the names. */
const opaque: ReadonlySet<string> = new Set(["parameters"]);

/** The Kitfile that a model kit was packed with: kit keeps it as the config, with the digests of the layers added. */
export function kitfileOf(config: Buffer): Record<string, string> {
  return { Kitfile: stringify(written(parseJsonObject(config)), { lineWidth: 0 }) };
}

function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written);
  return isObject(value) ? writtenObject(value) : value;
}

function writtenObject(value: Json): Json {
  const isPart = "path" in value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) =>
      isPart && added.has(key) ? [] : [[key, opaque.has(key) ? child : written(child)]],
    ),
  );
}
