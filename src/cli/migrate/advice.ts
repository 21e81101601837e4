import { differences, type DifferenceId } from "./differences.ts";

/** The fields of an OCIRepository's spec, as they are written. */
type Spec = Readonly<Record<string, unknown>>;

/** What a spec says that means something else than it meant to Flux, a line each. */
export function adviceFor(spec: Spec): string[] {
  return Object.entries(concerned).flatMap(([id, of]) => {
    const field = of(spec);
    return field === undefined ? [] : [`${field}: ${adviceOf(id as DifferenceId)}`];
  });
}

/** The field, as it is to be named, where a spec is concerned. */
const concerned = {
  "plain-http": ({ url, insecure }) =>
    insecure !== true && isNear(String(url)) ? "spec.url is at a loopback or private host" : undefined,
  "copied-files": (spec) => {
    const { operation, mediaType } = fieldsOf(spec["layerSelector"]);
    const isFile = typeof mediaType === "string" && /^text\/|[/+](?:json|ya?ml|xml|toml|rego)$/.test(mediaType);
    return operation === "copy" && isFile ? "spec.layerSelector.operation" : undefined;
  },
  "zero-timeout": ({ timeout, verify }) =>
    verify !== undefined && typeof timeout === "string" && !/[1-9]/.test(timeout) ? "spec.timeout" : undefined,
  identities: (spec) => {
    const identities = fieldsOf(spec["verify"])["matchOIDCIdentity"];
    const patterns = Array.isArray(identities)
      ? identities.flatMap((one: unknown) => Object.values(fieldsOf(one)))
      : [];
    return patterns.every((pattern) => isWhole(String(pattern))) ? undefined : "spec.verify.matchOIDCIdentity";
  },
} satisfies Partial<Record<DifferenceId, (spec: Spec) => string | undefined>>;

function adviceOf(id: DifferenceId): string {
  const { what, flux, strata, write } = { write: undefined, ...differences.find((one) => one.id === id)! };
  return `${what}, in Flux: ${flux}; here: ${strata}${write === undefined ? "" : `; write ${write} for Flux's way`}`;
}

/** Where go-containerregistry, and so Flux, falls back to plain HTTP. */
function isNear(url: string): boolean {
  const host = /^oci:\/\/(\[[^\]]*\]|[^/:]*)/.exec(url)?.[1] ?? "";
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+|.*\.local(?:host)?)$/.test(
    host,
  );
}

/** Whether a pattern says how an identity begins and ends; alternatives would each have to. */
function isWhole(pattern: string): boolean {
  return /^(?:\^|\.\*)/.test(pattern) && /(?:\$|\.\*)$/.test(pattern);
}

function fieldsOf(value: unknown): Spec {
  return typeof value === "object" && value !== null ? (value as Spec) : {};
}
