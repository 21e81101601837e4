/** `npm run bench`: see options.ts for what it takes. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { prepareBinary } from "../e2e/binaries.ts";
import { versionOf } from "../e2e/build.ts";
import { startControlPlane } from "../e2e/controlplane.ts";
import { installFluxCrds } from "../e2e/flux.ts";
import { startRegistry } from "../e2e/registry.ts";
import { freePort } from "../e2e/server.ts";
import { installStrata } from "../e2e/strata.ts";
import { messageOf } from "../src/errors.ts";
import { pushedTo } from "./artifacts.ts";
import { casesFor, type Case } from "./cases.ts";
import type { Side } from "./controllers.ts";
import { writeDocument } from "./document.ts";
import { judgeGoals, renderGoals } from "./goals.ts";
import { inspectorProfiler } from "./inspector.ts";
import { measureLimits, renderLimits } from "./limits.ts";
import type { Bench, Measurement } from "./measure.ts";
import { chooseCases, controllerFlagsOf, help, parseOptions, type BenchOptions } from "./options.ts";
import { figuresOf, orderOf, thisMachine, type Report, type Row } from "./report.ts";
import { mebibytes, renderFacts, renderTable, seconds } from "./table.ts";
import { openBenchWorkspace, type BenchWorkspace } from "./workspace.ts";

const servers = ["etcd", "kube-apiserver", "registry", "source-controller"] as const;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(options: BenchOptions): Promise<void> {
  if (process.platform !== "linux") throw new Error("the benchmark reads /proc: it runs on Linux only");
  if (!existsSync(new URL("../dist/strata-controller.js", import.meta.url)))
    throw new Error('the bundles are missing: run "npm run build" first');
  const chosen = chooseCases(casesFor(options.shrink), options);
  for (const name of servers) await prepareBinary(name);
  const workspace = await openBenchWorkspace();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void workspace.close(false).finally(() => process.exit(1)));
  let failed = true;
  try {
    const bench = await openBench(workspace, options);
    if (options.profile) await profile(bench, chosen);
    else await compare(bench, chosen, options);
    failed = false;
  } finally {
    await workspace.close(failed);
  }
}

async function openBench(workspace: BenchWorkspace, options: BenchOptions): Promise<Bench> {
  const plane = await startControlPlane(workspace);
  await installFluxCrds(plane);
  await installStrata(plane);
  const registry = await startRegistry(workspace);
  const profiler = options.profile ? inspectorProfiler(await freePort(), say) : undefined;
  return {
    workspace,
    plane,
    registry,
    artifacts: pushedTo(registry),
    flags: controllerFlagsOf(options),
    ...(profiler && { profiler }),
  };
}

async function profile(bench: Bench, chosen: readonly Case[]): Promise<void> {
  for (const { title, scenario, brief } of chosen) {
    say(`\n${title}${brief ? ": run it with node --cpu-prof to profile it" : ""}`);
    if (!brief) await scenario(bench, "strata");
  }
}

async function compare(bench: Bench, chosen: readonly Case[], options: BenchOptions): Promise<void> {
  const names = { node: process.version, ...Object.fromEntries(servers.map((name) => [name, versionOf(name)])) };
  const facts = {
    date: new Date().toISOString().slice(0, 10),
    machine: thisMachine(),
    versions: names,
    flags: bench.flags,
    limits: await measureLimits(),
  };
  const rows: Row[] = [];
  const failures: unknown[] = [];
  for (const one of chosen) {
    try {
      rows.push(await measureRow(bench, one, Math.min(options.rounds, one.maxRounds ?? options.rounds)));
    } catch (error) {
      // The rows of an hour are not thrown away for one that failed.
      say(`${one.name} failed: ${messageOf(error)}`);
      failures.push(error);
    }
    await writeFigures({ ...facts, rows }, options);
  }
  const report: Report = { ...facts, rows };
  process.stdout.write(
    `\n${renderFacts(report)}\n\n${renderTable(rows)}\n\n${renderGoals(judgeGoals(report))}\n\n${renderLimits(report.limits)}\n`,
  );
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} rows failed`);
  if (options.write) await writeDocument(report);
}

async function writeFigures(report: Report, options: BenchOptions): Promise<void> {
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ ...report, goals: judgeGoals(report) }, null, 2)}\n`);
}

async function measureRow(bench: Bench, one: Case, rounds: number): Promise<Row> {
  const found: Record<Side, Measurement[]> = { strata: [], flux: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const side of orderOf(round)) {
      const measurement = await one.scenario(bench, side);
      if (measurement === undefined) continue;
      found[side].push(measurement);
      say(
        `${one.name} ${round + 1}/${rounds} ${side === "strata" ? "strata" : (one.against ?? "source-controller")}: ${describe(measurement)}`,
      );
    }
  }
  const figures = Object.fromEntries(
    Object.entries(found)
      .filter(([, all]) => all.length > 0)
      .map(([side, all]) => [side, figuresOf(all)]),
  );
  return {
    name: one.name,
    title: one.title,
    against: one.against ?? "source-controller",
    rounds,
    figures,
    ...(one.note !== undefined && { note: one.note }),
  };
}

function describe({ wallMs, cpuMs, peakRssBytes, requests }: Measurement): string {
  return `${seconds(wallMs)} wall, ${seconds(cpuMs)} CPU, ${mebibytes(peakRssBytes)}, ${requests} requests`;
}

const options = parseOptions(process.argv.slice(2));
if (options.help) process.stdout.write(help.trimStart());
else if (options.list)
  process.stdout.write(
    `${casesFor(1)
      .map(({ name, title }) => `${name.padEnd(18)}${title}`)
      .join("\n")}\n`,
  );
else await main(options);
