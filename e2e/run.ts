/**
 * `npm run e2e [-- vitest arguments]`: finds or builds the real servers, then runs every `*.e2e.ts` against them.
 * It needs the bundles (`npm run build`); nothing of it needs Docker or root.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { binaryNames } from "./build.ts";
import { prepareBinary } from "./binaries.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bundles = ["dist/strata.js", "dist/strata-controller.js"];

for (const bundle of bundles) {
  if (!existsSync(`${root}${bundle}`)) throw new Error(`${bundle} is missing: run "npm run build" first`);
}
for (const name of binaryNames) await prepareBinary(name);

const vitest = spawn(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", `${root}e2e/vitest.config.ts`, ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit" },
);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => vitest.kill(signal));
const [code] = await once(vitest, "exit");
process.exitCode = Number(code ?? 1);
