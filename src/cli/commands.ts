import type { Command } from "./command.ts";

/** A row of the overview; the command itself is loaded only when it is called. */
export interface CommandRow {
  readonly summary: string;
  load(): Promise<Command>;
}

export const commands: Readonly<Record<string, CommandRow>> = {
  build: { summary: "Build one artifact out of the selected layers", load: async () => (await import("./build.ts")).build },
  bundle: { summary: "Push a directory as an artifact for Flux", load: async () => (await import("./bundle.ts")).bundle },
  copy: { summary: "Copy an artifact between registries and layouts", load: async () => (await import("./copy.ts")).copy },
  migrate: { summary: "Turn OCIRepository manifests into ArtifactRepositories", load: async () => (await import("./migrate.ts")).migrate },
  push: { summary: "The same as bundle", load: async () => (await import("./bundle.ts")).bundle },
  serve: { summary: "Reconcile a directory of manifests and serve the artifacts", load: async () => (await import("./serve.ts")).serve },
  tag: { summary: "Point further tags at an artifact", load: async () => (await import("./tag.ts")).tag },
  tree: { summary: "Draw the indexes, manifests, layers and signatures of an artifact", load: async () => (await import("./tree.ts")).tree },
};
