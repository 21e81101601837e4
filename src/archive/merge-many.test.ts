import { expect, test } from "vitest";
import { mergeTrees, type LabelledTree } from "./merge.ts";
import { Tree, type Entry } from "./tree.ts";

const many = 10_000;
const empty = (): Entry => ({ kind: "file", executable: false, body: { file: "", offset: 0, size: 0 } });
type Policy = Parameters<typeof mergeTrees>[1];

function tree(entries: Readonly<Record<string, Entry>>): Tree {
  const result = new Tree(100);
  for (const [path, entry] of Object.entries(entries)) result.put(path, entry);
  return result;
}

/** Many small layers: each has a file of its own, differs in one from the layer before it, and has its say about one path. */
function parts(count: number): LabelledTree[] {
  return Array.from({ length: count }, (_, at) => ({
    label: `layer ${at}`,
    tree: tree({
      [`d${at % 100}/${at}`]: empty(),
      [`d${(at - 1) % 100}/${at - 1}`]: { kind: "symlink", target: "elsewhere" },
      // In turn a file and a directory, each in the way of the other.
      ...(at % 2 === 0 ? { turn: empty() } : { "turn/x": empty(), [`turn/${at}`]: empty() }),
    }),
  }));
}

/** With the time that it took, in ms. */
async function merge(count: number, policy: Policy): Promise<{ readonly merged: Tree; readonly ms: number }> {
  const layers = parts(count);
  const start = performance.now();
  const merged = await mergeTrees(layers, policy, 100_000);
  return { merged, ms: performance.now() - start };
}

test.each<[Policy, number]>([
  ["Overwrite", many],
  ["Keep", 1],
])(
  "ten thousand layers cost what is in them: %s",
  async (policy, links) => {
    // The slowest of three, so that a machine which is busy elsewhere fails nothing.
    let few = 0;
    for (let run = 0; run < 3; run++) few = Math.max(few, (await merge(many / 10, policy)).ms);
    const { merged, ms } = await merge(many, policy);
    const { entries } = merged;
    expect([...entries.values()].filter(({ kind }) => kind === "symlink")).toHaveLength(links);
    const turn = policy === "Keep" ? ["turn"] : [`turn/${many - 1}`, "turn", "turn/x"];
    expect(new Set([...entries.keys()].filter((path) => path.startsWith("turn")))).toEqual(new Set(turn));
    // A pass over all entries for each layer would take a hundred times as long.
    expect(ms).toBeLessThan(40 * few);
  },
  60_000,
);

test("ten thousand layers that differ in nothing", async () => {
  const entry = (): Record<string, Entry> => ({ "d/a": empty(), "d/b": empty() });
  const same = Array.from({ length: many }, (_, at) => ({ tree: tree(entry()), label: `${at}` }));
  expect([...(await mergeTrees(same, "Fail", 10)).entries.keys()]).toEqual(["d", "d/a", "d/b"]);
}, 60_000);
