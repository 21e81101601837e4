import pLimit from "p-limit";
import type { Descriptor } from "../../src/oci/types.ts";
import type { ControlPlane } from "../controlplane.ts";
import { KubeStatusError, type ObjectRef } from "../kube.ts";
import { pushArtifact, pushIndex } from "../push.ts";
import type { Registry } from "../registry.ts";
import { eventually } from "../wait.ts";
import { contentFor, type Artifact, type Case } from "./case.ts";
import { settled, type Observation, type Step } from "./observe.ts";

export const namespace = "default";

/** Both kinds of one name, each read by its own controller. */
const kinds = {
  flux: { apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" },
  strata: { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository" },
} as const;
export type Side = keyof typeof kinds;
const sides = Object.keys(kinds) as Side[];

export type Both<T> = Readonly<Record<Side, T>>;

/** What both made of a case, step by step. `refused`: what the API server answered instead. */
export interface Outcome {
  readonly subject: Case;
  readonly steps: readonly { readonly name: string; readonly both: Both<Observation> }[];
  readonly refused?: Both<string | undefined>;
}

interface Cluster {
  readonly plane: ControlPlane;
  readonly registry: Registry;
}

/** How many objects are between two steps at a time. */
const concurrentCases = 6;

/** @param ends when no further case is begun, of `performance.now()` */
export async function runCases(cases: readonly Case[], cluster: Cluster, ends = Infinity): Promise<Outcome[]> {
  const limit = pLimit(concurrentCases);
  const begin = async (one: Case): Promise<Outcome | undefined> =>
    performance.now() < ends ? await new CaseRun(one, cluster).run() : undefined;
  const outcomes = await Promise.all(cases.map((one) => limit(() => begin(one))));
  return outcomes.filter((outcome) => outcome !== undefined);
}

export const nameOf = ({ index }: Pick<Case, "index">): string => `case-${index}`;

class CaseRun {
  readonly #case: Case;
  readonly #cluster: Cluster;

  constructor(subject: Case, cluster: Cluster) {
    this.#case = subject;
    this.#cluster = cluster;
  }

  async run(): Promise<Outcome> {
    const subject = this.#case;
    for (const artifact of subject.artifacts) await this.#push(artifact);
    const refused = await this.#onBoth((side) => this.#create(side));
    if (sides.some((side) => refused[side] !== undefined)) {
      await this.#delete();
      return { subject, steps: [], refused };
    }
    const steps: [string, Both<Observation>][] = [
      ["create", await this.#settle()],
      ["edit", await this.#edit()],
      ["suspend", await this.#suspend()],
    ];
    await this.#delete();
    return { subject, steps: steps.map(([name, both]) => ({ name, both })) };
  }

  async #create(side: Side): Promise<string | undefined> {
    const { registry, plane } = this.#cluster;
    const url = `oci://${registry.host}/parity/${nameOf(this.#case)}`;
    const spec = { url, insecure: true, interval: "1h", ...this.#case.spec };
    try {
      await plane.admin.create({ ...kinds[side], metadata: { name: nameOf(this.#case), namespace }, spec });
      return undefined;
    } catch (error) {
      if (error instanceof KubeStatusError && error.status === 422) return error.message;
      throw error;
    }
  }

  async #edit(): Promise<Both<Observation>> {
    const { edit } = this.#case;
    if (edit.kind === "push") {
      await this.#push(edit.artifact);
      return await this.#ask("edited");
    }
    const replaced = { ignore: null, layerSelector: null, ref: null, ...edit.spec };
    await this.#onBoth((side) => this.#cluster.plane.admin.patch(this.#ref(side), { spec: replaced }));
    return await this.#settle();
  }

  async #ask(requestedAt: string): Promise<Both<Observation>> {
    const annotations = { "reconcile.fluxcd.io/requestedAt": requestedAt };
    await this.#onBoth((side) => this.#cluster.plane.admin.patch(this.#ref(side), { metadata: { annotations } }));
    return await this.#settle({ requestedAt });
  }

  async #suspend(): Promise<Both<Observation>> {
    const annotations = { "reconcile.fluxcd.io/requestedAt": "suspended" };
    const patch = { metadata: { annotations }, spec: { suspend: true } };
    await this.#onBoth((side) => this.#cluster.plane.admin.patch(this.#ref(side), patch));
    return await this.#settle({ suspended: true, requestedAt: "suspended" });
  }

  /** Both are gone, and so is what they served. */
  async #delete(): Promise<void> {
    const { admin } = this.#cluster.plane;
    await this.#onBoth(async (side) => {
      const found = await admin.find(this.#ref(side));
      if (found === undefined) return;
      await admin.delete(this.#ref(side));
      const url = (found.status?.["artifact"] as { url: string } | undefined)?.url;
      await eventually(`the end of ${side} ${nameOf(this.#case)}`, async () => {
        if ((await admin.find(this.#ref(side))) !== undefined) return false;
        return url === undefined || (await fetch(url)).status === 404;
      });
    });
  }

  async #settle(step: Step = {}): Promise<Both<Observation>> {
    return await this.#onBoth((side) => settled(this.#cluster.plane, this.#ref(side), step));
  }

  #ref(side: Side): ObjectRef {
    return { kind: kinds[side].kind, name: nameOf(this.#case), namespace };
  }

  async #onBoth<T>(work: (side: Side) => Promise<T>): Promise<Both<T>> {
    const [flux, strata] = await Promise.all([work("flux"), work("strata")]);
    return { flux, strata };
  }

  async #push({ manifests, isIndex, tags }: Artifact): Promise<void> {
    const { registry } = this.#cluster;
    const repository = `parity/${nameOf(this.#case)}`;
    const [tag = "", ...others] = tags;
    if (isIndex) {
      const children: Descriptor[] = [];
      for (const [at, manifest] of manifests.entries()) {
        const pushed = await pushArtifact(registry, repository, `child-${at}`, contentFor(manifest));
        children.push({ ...pushed, ...platformOf(manifest.platform) });
      }
      await pushIndex(registry, repository, tag, { manifests: children });
    } else {
      await pushArtifact(registry, repository, tag, contentFor(manifests[0]!));
    }
    await Promise.all(others.map((other) => tagAs(`${registry.url}/v2/${repository}/manifests`, tag, other)));
  }
}

async function tagAs(manifests: string, from: string, to: string): Promise<void> {
  const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
  const source = await fetch(`${manifests}/${from}`, { headers: { accept } });
  const headers = { "content-type": source.headers.get("content-type") ?? "" };
  const answer = await fetch(`${manifests}/${to}`, { method: "PUT", headers, body: await source.arrayBuffer() });
  if (answer.status !== 201) throw new Error(`${manifests}/${to} answered ${answer.status}`);
}

function platformOf(platform: string | undefined): Pick<Descriptor, "platform"> {
  const [os = "", architecture = ""] = platform?.split("/") ?? [];
  return platform === undefined ? {} : { platform: { os, architecture } };
}
