/** A CPU profile as V8's inspector gives it (Chrome DevTools Protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of nodes. */
  readonly samples?: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas?: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

export interface FunctionTime {
  /** `inflate src/archive/read.ts:12` */
  readonly name: string;
  readonly selfMs: number;
}

/** The functions by the time spent in themselves, longest first, without the time in which nothing ran. */
export function topFunctions(profile: CpuProfile, count: number): readonly FunctionTime[] {
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node)]));
  const selfMs = new Map<string, number>();
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const name = names.get(id) ?? "(unknown)";
    selfMs.set(name, (selfMs.get(name) ?? 0) + (profile.timeDeltas?.[i] ?? 0) / 1000);
  }
  selfMs.delete("(idle)");
  return [...selfMs]
    .map(([name, selfMs]) => ({ name, selfMs }))
    .sort((a, b) => b.selfMs - a.selfMs)
    .slice(0, count);
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const path = url.replace(/^.*\/(?=(?:src|api|node_modules)\/)/, "");
  return `${name} ${path}:${lineNumber + 1}`;
}

export function renderProfile(functions: readonly FunctionTime[], threads: ReadonlyMap<string, number>): string {
  const threadLines = [...threads]
    .sort(([, a], [, b]) => b - a)
    .filter(([, ms]) => ms > 0)
    .map(([name, ms]) => `${String(Math.round(ms)).padStart(8)} ms  ${name}`);
  const functionLines = functions.map(({ name, selfMs }) => `${selfMs.toFixed(1).padStart(8)} ms  ${name}`);
  return ["CPU by thread:", ...threadLines, "The main thread, by self time:", ...functionLines].join("\n");
}
