/** What a reader says of one entry. */
export interface SeenEntry {
  readonly name: string;
  readonly type: "file" | "dir" | "symlink" | "hardlink" | "special";
  readonly link: string;
  readonly mode: number;
  /** The hash of a file's body. */
  readonly sha256: string;
}

/** Files by path: digest, with a star where they are executable. Or why a reader, or whoever unpacks, refuses. */
export type View = { readonly files: ReadonlyMap<string, string> } | { readonly refused: string };

/** What is on disk once the entries were unpacked one after the other, without links. */
export function unpacked(entries: readonly SeenEntry[]): View {
  const files = new Map<string, string>();
  for (const { name, type, link, mode, sha256 } of entries) {
    const path = cleanPath(name);
    if (path === undefined) return { refused: `the name ${JSON.stringify(name)}` };
    // A file whose name ends in a slash is a directory to some, an empty file to others.
    if (type === "file" && !name.endsWith("/")) files.set(path, `${sha256}${(mode & 0o111) === 0 ? "" : "*"}`);
    else if (type === "symlink") files.delete(path);
    else if (type === "hardlink") linkTo(files, path, cleanPath(link) ?? "");
  }
  return { files };
}

function linkTo(files: Map<string, string>, path: string, target: string): void {
  const content = files.get(target);
  if (content === undefined) files.delete(path);
  else files.set(path, content);
}

/** Undefined for what nobody should unpack. */
function cleanPath(name: string): string | undefined {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return name.startsWith("/") || parts.includes("..") ? undefined : parts.join("/");
}

/** The first difference, as a line. */
export function differenceOf(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string | undefined {
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    if (a.get(path) !== b.get(path))
      return `${JSON.stringify(path)} is ${a.get(path) ?? "absent"} here and ${b.get(path) ?? "absent"} there`;
  }
  return undefined;
}
