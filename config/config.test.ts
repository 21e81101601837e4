import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { formatIssues } from "../api/v1beta1/issues.ts";
import { parseArtifactRepository } from "../api/v1beta1/parse.ts";
import { nodeFlags } from "../e2e/strata.ts";
import { controllerConfig } from "../src/config.ts";
import { installManifest } from "./build-install.ts";
import { compose, composedFiles } from "./compose.ts";

interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: unknown;
}

const here = import.meta.dirname;
const documents = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
const inFile = (path: string) => documents(readFileSync(join(here, path), "utf8"));
const yamlFiles = (directory: string) => readdirSync(join(here, directory)).filter((name) => name.endsWith(".yaml"));
const only = (objects: readonly KubeObject[], kind: string) => objects.find((object) => object.kind === kind) as never;

const installed = documents(installManifest());

describe("dist/install.yaml", () => {
  it("holds every object once, the namespace and the CRD before what needs them", () => {
    const names = installed.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names.slice(0, 2)).toEqual([
      "Namespace/strata-system",
      "CustomResourceDefinition/artifactrepositories.source.strata.dev",
    ]);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("Deployment/strata-controller");
    expect(names).toContain("NetworkPolicy/strata-controller");
  });

  it("takes the image that it is given", () => {
    const deployment = documents(installManifest("example.test/strata:dev")).find(({ kind }) => kind === "Deployment");
    expect(JSON.stringify(deployment)).toContain('"image":"example.test/strata:dev"');
  });

  it("leaves out no file of the directories it composes", () => {
    const used = composedFiles(join(here, "default"));
    for (const directory of ["default", "crd", "rbac", "manager", "network-policy"]) {
      const there = yamlFiles(directory)
        .filter((name) => name !== "kustomization.yaml")
        .map((name) => join(here, directory, name));
      expect(used).toEqual(expect.arrayContaining(there));
    }
  });

  it("refuses a kustomization that needs kustomize itself", () => {
    expect(() => compose(join(here, "components/persistent-storage"))).toThrow(/only kustomize can apply patches/);
  });
});

describe("the controller's permissions", () => {
  const roles = installed.filter(({ kind }) => kind === "ClusterRole" || kind === "Role") as unknown as (KubeObject & {
    rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  })[];
  const controller = roles.filter(
    ({ metadata }) => metadata.labels?.["app.kubernetes.io/name"] === "strata-controller",
  );

  const rules = controller.flatMap(({ rules }) => rules);
  const verbsOn = (resource: string) =>
    rules.filter(({ resources }) => resources.includes(resource)).flatMap(({ verbs }) => verbs);

  it("have no wildcard", () => {
    expect(controller).toHaveLength(2);
    expect(JSON.stringify(roles)).not.toContain('"*"');
  });

  it("read secrets and service accounts, never write them", () => {
    const verbs = [...verbsOn("secrets"), ...verbsOn("serviceaccounts")];
    expect(verbs.filter((verb) => !["get", "list", "watch"].includes(verb))).toEqual([]);
    expect(verbs).toContain("get");
  });

  it("make no tokens, which a component adds", () => {
    expect(verbsOn("serviceaccounts/token")).toEqual([]);
    const added = ["role", "role_binding"].map((name) => inFile(`components/object-level-identity/${name}.yaml`)[0]);
    expect(added).toMatchObject([
      { kind: "ClusterRole", rules: [{ apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] }] },
      {
        kind: "ClusterRoleBinding",
        roleRef: { kind: "ClusterRole", name: added[0]?.metadata.name },
        subjects: [{ kind: "ServiceAccount", name: "strata-controller", namespace: "strata-system" }],
      },
    ]);
  });

  it("leave the spec and the existence of ArtifactRepositories to their owners", () => {
    expect(verbsOn("artifactrepositories").sort()).toEqual(["get", "list", "patch", "watch"]);
  });
});

describe("the Deployment", () => {
  const deployment = only(installed, "Deployment") as {
    spec: {
      selector: { matchLabels: Record<string, string> };
      template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    };
  };
  interface PodSpec {
    securityContext: Record<string, unknown>;
    terminationGracePeriodSeconds: number;
    containers: {
      image: string;
      args: string[];
      ports: { name: string; containerPort: number }[];
      securityContext: Record<string, unknown>;
    }[];
  }
  const { metadata, spec } = deployment.spec.template;
  const [container] = spec.containers;
  const { flags } = controllerConfig(container?.args ?? [], {});
  const port = (name: string) => container?.ports.find((port) => port.name === name)?.containerPort;

  it("passes only flags that the controller knows, and listens where its ports are", () => {
    expect(flags["storage-addr"]).toBe(`:${port("http")}`);
    expect(flags["metrics-addr"]).toBe(`:${port("http-prom")}`);
    expect(flags["health-addr"]).toBe(`:${port("healthz")}`);
    expect(flags["enable-leader-election"]).toBe(true);
  });

  it("gives running work the time to finish that the controller takes", () => {
    // Work that is aborted then has 5 s more, events 2 s and downloads 1 s.
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(flags["graceful-shutdown-timeout"] + 8000);
  });

  it("meets the restricted pod security standard, on a read-only root", () => {
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("is what the Service and the NetworkPolicy select", () => {
    const service = only(installed, "Service") as { spec: { selector: Record<string, string> } };
    const policy = only(installed, "NetworkPolicy") as {
      spec: { podSelector: { matchLabels: Record<string, string> } };
    };
    for (const selector of [
      service.spec.selector,
      policy.spec.podSelector.matchLabels,
      deployment.spec.selector.matchLabels,
    ]) {
      expect(metadata.labels).toMatchObject(selector);
    }
  });

  it("runs the version that package.json says", () => {
    const { version } = JSON.parse(readFileSync(join(here, "../package.json"), "utf8")) as { version: string };
    expect(container?.image).toMatch(new RegExp(`:v${version.replaceAll(".", "\\.")}$`));
  });
});

describe("samples", () => {
  const samples = ["samples", "cluster-samples"].flatMap((directory) =>
    yamlFiles(directory).map((name) => `${directory}/${name}`),
  );

  it.each(samples)("%s says what it shows, and its ArtifactRepository is valid", (path) => {
    expect(readFileSync(join(here, path), "utf8")).toMatch(/^# \S/);
    for (const object of inFile(path)) {
      if (object.kind !== "ArtifactRepository") continue;
      const parsed = parseArtifactRepository(object);
      expect("issues" in parsed ? formatIssues(parsed.issues) : "").toBe("");
    }
  });

  it("have names that differ, so that all can be applied together", () => {
    const names = samples.flatMap(inFile).map(({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it("read artifacts that the demo has", () => {
    const objects = yamlFiles("samples").flatMap((name) => inFile(`samples/${name}`));
    const urls = objects.flatMap((object) => (object["spec"] as { url?: string } | undefined)?.url ?? []);
    for (const url of urls) {
      const repository = url.replace("oci://registry.strata.local:5000/", "");
      expect(existsSync(join(here, "../src/testing/fixtures/oci", repository, "index.json")), url).toBe(true);
    }
    expect(urls.length).toBeGreaterThan(10);
  });

  it("consume ExternalArtifacts that a sample publishes", () => {
    const published = new Set(
      yamlFiles("samples")
        .flatMap((name) => inFile(`samples/${name}`))
        .map(({ metadata }) => metadata.name),
    );
    const files = yamlFiles("cluster-samples").filter((name) => name.startsWith("consume-"));
    const consumers = files.flatMap((name) => inFile(`cluster-samples/${name}`));
    const sources = consumers.map((object) => {
      const spec = object["spec"] as { sourceRef?: { name: string }; chartRef?: { name: string } };
      return (spec.sourceRef ?? spec.chartRef)?.name ?? "";
    });
    expect(sources.filter((name) => !published.has(name))).toEqual([]);
    expect(sources.length).toBeGreaterThan(3);
  });
});

interface Component {
  readonly resources?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly configMapGenerator?: readonly { readonly files: readonly string[] }[];
}

it("components pass only flags that the controller knows", () => {
  const files = readdirSync(join(here, "components"), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const texts = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"));
  const args = texts.flatMap((text) => [...text.matchAll(/"(--[a-z-]+=[^"]*)"/g)].map(([, arg = ""]) => arg));
  expect(controllerConfig(args, {}).flags["oci-endpoint-addr"]).toBe(":5000");
});

it("components name files that exist", () => {
  for (const name of readdirSync(join(here, "components"))) {
    const directory = join(here, "components", name);
    const component = parse(readFileSync(join(directory, "kustomization.yaml"), "utf8")) as Component;
    const { resources = [], patches = [], configMapGenerator = [] } = component;
    const named = [
      ...resources,
      ...patches.map(({ path }) => path),
      ...configMapGenerator.flatMap(({ files }) => files),
    ];
    expect(named.sort()).toEqual(
      readdirSync(directory)
        .filter((file) => file !== "kustomization.yaml")
        .sort(),
    );
  }
});

describe("the Dockerfile", () => {
  const stages = readFileSync(join(here, "../Dockerfile"), "utf8").split(/^FROM /m);
  const image = stages.at(-1) ?? "";

  it("runs the controller's bundle with its flags, as the user that the Deployment expects, without node_modules", () => {
    const { bin } = JSON.parse(readFileSync(join(here, "../package.json"), "utf8")) as { bin: Record<string, string> };
    const bundle = bin["strata-controller"]?.replace("dist/", "/app/");
    expect(image).toContain(
      `ENTRYPOINT ${JSON.stringify(["/nodejs/bin/node", ...nodeFlags, bundle]).replaceAll(",", ", ")}`,
    );
    expect(image).toMatch(/^USER 65532:65532$/m);
    expect(image).not.toContain("node_modules/");
    expect(image.match(/^COPY .*/gm)).toEqual(["COPY --from=build /src/dist ./"]);
  });

  it("builds with scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync(join(here, "../package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const used = [...stages.join("").matchAll(/npm run ([\w:]+)/g)].map(([, name = ""]) => name);
    expect(used.filter((name) => !(name in scripts))).toEqual([]);
  });
});
