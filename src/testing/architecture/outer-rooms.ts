import type { Room } from "./inner-rooms.ts";

/** What is not in the programs: tests, generated files, releases. */
export const outerRooms: Readonly<Record<string, Room>> = {
  "src/testing/operations": {
    holds: "the tables of docs/operations.md",
    imports: ["src/controller-flags", "src/runtime"],
    types: ["src/flags"],
    reaches: ["fs"],
  },
  "src/testing": {
    holds: "servers and builders for tests",
    imports: [
      "api",
      "src/archive",
      "src/cli",
      "src/component",
      "src/config",
      "src/controller",
      "src/errors",
      "src/kube/http",
      "src/kube/local",
      "src/kube/run",
      "src/oci",
      "src/operation",
      "src/pipeline",
      "src/reconciler",
      "src/registry",
      "src/store",
      "src/verify",
    ],
    types: ["src/kube", "src/publish"],
    packages: ["cborg", "esbuild", "oxc-parser", "playwright-core", "tar", "vitest"],
    reaches: ["child_process", "fs", "http", "http2", "https", "net"],
  },
  crds: {
    holds: "the CRD, generated from the schema",
    imports: ["api"],
    packages: ["yaml", "zod"],
    reaches: ["fs"],
  },
  config: {
    holds: "the bundles, the manifests that install the controller, samples",
    imports: [],
    packages: ["esbuild", "yaml"],
    reaches: ["child_process", "fs"],
  },
  release: {
    holds: "what people install: the npm package, programs in one file, the image, manifests of plugins; releases",
    imports: ["config", "src/testing/architecture/imports"],
    packages: ["esbuild", "tar", "yaml"],
    reaches: ["child_process", "fs"],
  },
  demo: {
    holds: "the main job on a registry in the process",
    imports: ["src/cli", "src/config", "src/reconciler", "src/registry", "src/testing"],
    types: ["api", "src/pipeline"],
    packages: ["tar"],
    reaches: ["fs"],
  },
  bench: {
    holds: "what is measured, and against what",
    imports: ["e2e", "src/errors"],
    packages: ["p-limit"],
    reaches: ["child_process", "fs", "http"],
  },
  e2e: {
    holds: "a real registry, a real API server, Flux's real controllers, a real browser",
    imports: ["src/testing"],
    types: ["src/cli/migrate/differences", "src/oci"],
    packages: ["p-limit", "tar", "undici", "vitest", "yaml"],
    reaches: ["child_process", "fs", "http", "net"],
  },
  "vitest.config": {
    holds: "how the tests run",
    imports: ["src/testing"],
    packages: ["vitest"],
  },
};
