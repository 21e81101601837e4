import { controllerFlags } from "../../controller-flags.ts";
import type { FlagSpec } from "../../flags.ts";
import { shownMetrics } from "./series.ts";

/** Metrics of the process and of the runtime are not ours to explain. */
const foreign = /^(process|nodejs)_/;

function escaped(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\.$/, "");
}

export async function metricsTable(): Promise<string> {
  const rows = (await shownMetrics())
    .filter(({ name }) => !foreign.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labels, help }) => {
      const shown = [...labels].filter((label) => label !== "le").map((label) => `\`${label}\``);
      return `| \`${name}\` | ${type} | ${shown.join(" ")} | ${escaped(help)} |`;
    });
  return ["| metric | type | labels | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

export function flagsTable(): string {
  const rows = Object.entries<FlagSpec>(controllerFlags).map(([name, { default: value, env, description }]) => {
    const shown = value === "" ? "" : `\`${String(value)}\``;
    return `| \`--${name}\` | ${shown} | ${env === undefined ? "" : `\`${env}\``} | ${escaped(description)} |`;
  });
  return ["| flag | default | environment | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/** `page` with what stands between the marks of `name` replaced. @throws Error where the marks are missing */
export function withGenerated(page: string, name: string, text: string): string {
  const begin = `<!-- ${name}: begin. Written by \`npm run generate\`. -->\n`;
  const end = `<!-- ${name}: end -->`;
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no place for ${name}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n\n${page.slice(to)}`;
}
