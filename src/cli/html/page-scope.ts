/** Functions, of the types that a list of different ones needs. */
type AnyFunction = (...args: never[]) => unknown;

/**
 * The functions of one file that run in the page as they run here, so that what the tests call is what browsers get. They
 * refer only to each other: a bundle gives functions names of its own, which mean the same only within a file.
 */
export interface PageScope {
  readonly functions: readonly AnyFunction[];
  /** What other scopes call them by. */
  readonly offers: Readonly<Record<string, AnyFunction>>;
}

/** An expression whose value is what the scope offers. */
export function scopeSource({ functions, offers }: PageScope): string {
  const entries = Object.entries(offers).map(([name, { name: bundledName }]) => `${name}: ${bundledName}`);
  return `(() => {\n${functions.map(String).join("\n")}\nreturn { ${entries.join(", ")} };\n})()`;
}
