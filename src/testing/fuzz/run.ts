import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzzOne, type Failure } from "./fuzz.ts";
import { GoReader } from "./readers.ts";

const help = `npm run fuzz -- [--minutes N] [--seed N]
Makes archives (tar, gzip, zstd, zip), most of them broken, and compares what Strata publishes of each with what node-tar and Go read.
`;

/** Exits with 1 where a case goes wrong; the same seed makes the same cases. */
async function run(): Promise<number> {
  const { values } = parseArgs({
    options: { minutes: { type: "string" }, seed: { type: "string" }, help: { type: "boolean" } },
  });
  const minutes = Number(values.minutes ?? 1);
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  if (values.help === true || !(minutes > 0) || !Number.isSafeInteger(seed)) {
    process.stdout.write(help);
    return values.help === true ? 0 : 2;
  }
  const dir = await mkdtemp(join(tmpdir(), "strata-fuzz-"));
  const go = GoReader.build(dir);
  process.stdout.write(`seed ${seed}${go === undefined ? "; SKIPPED: Go's archive/tar, since there is no go" : ""}\n`);
  try {
    return await runFor(minutes * 60_000, seed, { dir, go });
  } finally {
    go?.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function runFor(ms: number, seed: number, checker: { dir: string; go: GoReader | undefined }): Promise<number> {
  const ends = performance.now() + ms;
  let cases = 0;
  for (; performance.now() < ends; cases++) {
    const failure = await fuzzOne(seed + cases, checker);
    if (failure === undefined) continue;
    report(failure);
    return 1;
  }
  process.stdout.write(`${cases} cases, nothing wrong\n`);
  return 0;
}

function report({ seed, problem, container, bytes }: Failure): void {
  process.stdout.write(`npm run fuzz -- --seed ${seed}\n${container}: ${problem}\n${bytes.toString("base64")}\n`);
}

process.exitCode = await run();
