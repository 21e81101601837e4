import type { Command } from "./command.ts";

/** A row of the overview; the command itself is loaded only when it is called. */
export interface CommandRow {
  readonly summary: string;
  load(): Promise<Command>;
}

export const commands: Readonly<Record<string, CommandRow>> = {
  build: {
    summary: "Build one artifact out of the selected layers",
    load: async () => (await import("./build/build.ts")).build,
  },
  bundle: {
    summary: "Push a directory as an artifact for Flux",
    load: async () => (await import("./bundle/bundle.ts")).bundle,
  },
  completion: {
    summary: "Write what a shell needs to complete commands and flags",
    load: async () => (await import("./completion/completion.ts")).completion,
  },
  copy: {
    summary: "Copy an artifact between registries and layouts",
    load: async () => (await import("./copy/copy.ts")).copy,
  },
  describe: {
    summary: "Tell everything about one ArtifactRepository",
    load: async () => (await import("./cluster/describe.ts")).describe,
  },
  diff: {
    summary: "Compare two artifacts, file by file",
    load: async () => (await import("./diff/diff.ts")).diff,
  },
  doctor: {
    summary: "Ask a registry what it can do, and say what fails",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  explain: {
    summary: "Explain one ArtifactRepository together with its artifact",
    load: async () => (await import("./explain/explain.ts")).explain,
  },
  get: {
    summary: "List the ArtifactRepositories of a cluster",
    load: async () => (await import("./cluster/get.ts")).get,
  },
  help: { summary: "Tell what a command does", load: async () => (await import("./help/help.ts")).help },
  init: {
    summary: "Write the ArtifactRepository for an artifact",
    load: async () => (await import("./init/init.ts")).init,
  },
  list: {
    summary: "List tags: which one is taken, and why not the others",
    load: async () => (await import("./list/list.ts")).list,
  },
  lock: {
    summary: "Write the digests that references resolve to",
    load: async () => (await import("./lock/lock.ts")).lock,
  },
  migrate: {
    summary: "Turn OCIRepository manifests into ArtifactRepositories",
    load: async () => (await import("./migrate/migrate.ts")).migrate,
  },
  pull: { summary: "The same as build", load: async () => (await import("./build/build.ts")).build },
  push: { summary: "The same as bundle", load: async () => (await import("./bundle/bundle.ts")).bundle },
  reconcile: {
    summary: "Reconcile an ArtifactRepository now",
    load: async () => (await import("./cluster/reconcile.ts")).reconcile,
  },
  resume: {
    summary: "Start reconciling an ArtifactRepository again",
    load: async () => (await import("./cluster/suspend.ts")).resume,
  },
  serve: {
    summary: "Reconcile a directory of manifests and serve the artifacts",
    load: async () => (await import("./serve.ts")).serve,
  },
  suspend: {
    summary: "Stop reconciling an ArtifactRepository",
    load: async () => (await import("./cluster/suspend.ts")).suspend,
  },
  tag: { summary: "Point further tags at an artifact", load: async () => (await import("./tag.ts")).tag },
  tree: {
    summary: "Draw the indexes, manifests, layers and signatures of an artifact",
    load: async () => (await import("./tree/tree.ts")).tree,
  },
  verify: {
    summary: "Check signatures, and how an artifact was made",
    load: async () => (await import("./verify/verify.ts")).verify,
  },
};
