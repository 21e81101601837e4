import type { Annotations } from "../../oci/types.ts";

const maxShown = 4;
const maxValue = 60;
const standard = "org.opencontainers.image.";

/** Standard keys that tell one manifest from another, in the order in which they are shown. */
const important = ["title", "version", "ref.name"].map((name) => `${standard}${name}`);
/** Last parts of keys by which makers say what something is for. */
const roles = /(?:^|[./_-])(?:role|name|type|kind|component|profile|variant|predicate-type|filepath)$/i;
/** Annotations for those alone who look for them; `--output json` has everything. */
const noise =
  /^org\.opencontainers\.image\.(?:created|revision|source|url|documentation|licenses|vendor|authors|description|base\..*)$|\bdigest$|^dev\.sigstore\.|^dev\.cosignproject\./;

/** The annotations that tell a person what something is: at most four, cut, with the standard prefix left away. */
export function telling(annotations: Annotations | undefined): [key: string, value: string][] {
  const rank = (key: string): number => {
    const place = important.indexOf(key);
    if (place >= 0) return place;
    return roles.test(key) ? important.length : important.length + 1;
  };
  return Object.entries(annotations ?? {})
    .filter(([key]) => !noise.test(key))
    .toSorted(([a], [b]) => rank(a) - rank(b))
    .slice(0, maxShown)
    .map(([key, value]) => [cut(key.startsWith(standard) ? key.slice(standard.length) : key), cut(value)]);
}

function cut(text: string): string {
  return text.length > maxValue ? `${text.slice(0, maxValue)}…` : text;
}
