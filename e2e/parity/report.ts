import type { Difference } from "./difference.ts";
import type { Parity } from "./session.ts";

/** How much of a case is shown. */
const maxLength = 1500;
const maxShown = 40;

/** What a run has to say: counts, each row that was met, and every difference that no row has. */
export function report({ cases, steps, differences }: Parity, seed: number): { text: string; unexplained: number } {
  const byRow = Map.groupBy(differences, ({ row }) => row ?? "");
  const unexplained = byRow.get("") ?? [];
  const rows = [...byRow].filter(([id]) => id !== "").sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [
    `${cases} cases, ${steps} steps, ${differences.length} differences, ${unexplained.length} of them not in docs/migration.md`,
    ...rows.map(
      ([id, found]) => `  ${id}: ${found.length} in ${new Set(found.map(({ subject }) => subject.index)).size} cases`,
    ),
    ...unexplained.slice(0, maxShown).map((difference) => described(difference, seed)),
  ];
  return { text: `${lines.join("\n")}\n`, unexplained: unexplained.length };
}

function described({ subject, step, facet, values, seen }: Difference, seed: number): string {
  const layers = subject.artifacts.map(({ tags, isIndex, manifests }) => ({
    tags,
    isIndex,
    manifests: manifests.map((manifest) => ({
      config: manifest.config,
      platform: manifest.platform,
      layers: manifest.layers.map(({ mediaType, form, features, title }) => [mediaType, form, [...features], title]),
    })),
  }));
  const shown = { spec: subject.spec, edit: subject.edit.kind === "spec" ? subject.edit.spec : "push", layers };
  return [
    `--seed ${seed} --case ${subject.index}: ${facet} after ${step}`,
    `  flux:   ${JSON.stringify(values.flux)} ${seen?.flux.reason ?? ""} ${seen?.flux.message.slice(0, 300) ?? ""}`,
    `  strata: ${JSON.stringify(values.strata)} ${seen?.strata.reason ?? ""} ${seen?.strata.message.slice(0, 300) ?? ""}`,
    `  ${JSON.stringify(shown).slice(0, maxLength)}`,
  ].join("\n");
}
