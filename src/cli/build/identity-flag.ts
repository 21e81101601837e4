import { UsageError } from "../command.ts";

/** The identity of an element of an OCM component version, as the spec has it. */
export interface IdentityFields {
  readonly name: string;
  readonly version?: string;
  readonly extraIdentity?: Readonly<Record<string, string>>;
}

/**
 * `NAME[,version=VERSION][,KEY=VALUE]…`; a comma at the end: no attributes besides.
 * @throws UsageError
 */
export function parseIdentity(flag: string, text: string): IdentityFields {
  const [name = "", ...attributes] = text.split(",");
  const isExact = attributes.at(-1) === "";
  const pairs = (isExact ? attributes.slice(0, -1) : attributes).map((attribute) => pairOf(flag, text, attribute));
  if (name === "" || name.includes("=")) throw malformed(flag, text);
  const { version, ...extraIdentity } = Object.fromEntries(pairs) as Record<string, string>;
  return {
    name,
    ...(version !== undefined && { version }),
    ...((isExact || Object.keys(extraIdentity).length > 0) && { extraIdentity }),
  };
}

export function formatIdentityFlag({ name, version, extraIdentity }: IdentityFields): string {
  const pairs = Object.entries({ ...(version !== undefined && { version }), ...extraIdentity });
  const isNone = extraIdentity !== undefined && Object.keys(extraIdentity).length === 0;
  return [name, ...pairs.map(([key, value]) => `${key}=${value}`), ...(isNone ? [""] : [])].join(",");
}

function pairOf(flag: string, text: string, attribute: string): [string, string] {
  const at = attribute.indexOf("=");
  if (at < 1) throw malformed(flag, text);
  return [attribute.slice(0, at), attribute.slice(at + 1)];
}

function malformed(flag: string, text: string): UsageError {
  return new UsageError(`--${flag} is "${text}"; write NAME, or NAME,version=VERSION,KEY=VALUE`);
}
