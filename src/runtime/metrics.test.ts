import { describe, expect, it } from "vitest";
import type { ResourceInfo } from "./object-series.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

const kind = { group: "source.strata.dev", version: "v1beta1", kind: "ArtifactRepository" };
const podinfo = { namespace: "apps", name: "podinfo" };
const other = { namespace: "apps", name: "other" };

function metricsOf(): Metrics {
  return createMetrics({ kind, concurrent: 4 });
}

/** The samples whose line matches. */
async function samples(metrics: Metrics, matching: RegExp): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split("\n").filter((line) => !line.startsWith("#") && matching.test(line));
}

describe("reconciles", () => {
  it("are timed for each object in Flux's buckets, until it is deleted", async () => {
    const metrics = metricsOf();
    metrics.reconciled(podinfo, "requeue_after", 1500);
    metrics.reconciled(podinfo, "requeue_after", 5);
    metrics.reconciled(other, "error", 20);
    expect(await samples(metrics, /^gotk_reconcile_duration_seconds_(sum|count)/)).toEqual([
      'gotk_reconcile_duration_seconds_sum{kind="ArtifactRepository",name="podinfo",namespace="apps"} 1.505',
      'gotk_reconcile_duration_seconds_count{kind="ArtifactRepository",name="podinfo",namespace="apps"} 2',
      'gotk_reconcile_duration_seconds_sum{kind="ArtifactRepository",name="other",namespace="apps"} 0.02',
      'gotk_reconcile_duration_seconds_count{kind="ArtifactRepository",name="other",namespace="apps"} 1',
    ]);
    const bounds = (await samples(metrics, /^gotk_reconcile_duration_seconds_bucket.*podinfo/)).map((line) =>
      Number(/le="([^"]+)"/.exec(line)?.[1]?.replace("+Inf", "Infinity")),
    );
    expect(bounds).toHaveLength(11);
    expect([bounds[0], bounds[9], bounds[10]]).toEqual([0.01, expect.closeTo(1800, 6), Infinity]);
    metrics.deleted(podinfo);
    metrics.deleted({ ...podinfo, name: "never seen" });
    expect(await samples(metrics, /podinfo/)).toEqual([]);
    expect(await samples(metrics, /name="other"/)).not.toEqual([]);
  });

  it("are counted by result as controller-runtime does", async () => {
    const metrics = metricsOf();
    metrics.reconciled(podinfo, "requeue_after", 1);
    metrics.reconciled(podinfo, "error", 1);
    metrics.reconciled(other, "error", 1);
    expect(await samples(metrics, /^controller_runtime_reconcile_(total|errors_total|time_seconds_count)/)).toEqual([
      'controller_runtime_reconcile_total{controller="artifactrepository",result="success"} 0',
      'controller_runtime_reconcile_total{controller="artifactrepository",result="error"} 2',
      'controller_runtime_reconcile_total{controller="artifactrepository",result="requeue_after"} 1',
      'controller_runtime_reconcile_total{controller="artifactrepository",result="requeue"} 0',
      'controller_runtime_reconcile_errors_total{controller="artifactrepository"} 2',
      'controller_runtime_reconcile_time_seconds_count{controller="artifactrepository"} 3',
    ]);
  });
});

describe("the process", () => {
  it("tells how late its event loop is", async () => {
    const lag = await samples(metricsOf(), /^nodejs_eventloop_lag_(p99|max)_seconds /);
    expect(lag).toHaveLength(2);
    for (const sample of lag) expect(Number(sample.split(" ")[1])).toBeGreaterThanOrEqual(0);
  });
});

describe("the queue", () => {
  it("is shown as client-go shows it", async () => {
    const metrics = metricsOf();
    metrics.queue.show(() => ({
      depth: 7,
      scheduled: 5,
      running: 2,
      aside: 3,
      unfinishedMs: 3500,
      longestRunningMs: 3000,
    }));
    metrics.queue.event({ type: "added" });
    metrics.queue.event({ type: "added" });
    metrics.queue.event({ type: "retried" });
    metrics.queue.event({ type: "started", waitedMs: 250 });
    metrics.queue.event({ type: "finished", workedMs: 1250 });
    const labels = '{name="artifactrepository",controller="artifactrepository"}';
    expect(
      await samples(metrics, /^(workqueue_(?!.*_bucket)|controller_runtime_(max|active)|strata_reconciles)/),
    ).toEqual(
      expect.arrayContaining([
        `workqueue_adds_total${labels} 2`,
        `workqueue_retries_total${labels} 1`,
        `workqueue_queue_duration_seconds_sum${labels} 0.25`,
        `workqueue_work_duration_seconds_sum${labels} 1.25`,
        `workqueue_depth${labels} 7`,
        `workqueue_unfinished_work_seconds${labels} 3.5`,
        `workqueue_longest_running_processor_seconds${labels} 3`,
        'controller_runtime_active_workers{controller="artifactrepository"} 2',
        'strata_reconciles_aside{controller="artifactrepository"} 3',
        'controller_runtime_max_concurrent_reconciles{controller="artifactrepository"} 4',
      ]),
    );
  });
});

describe("what only Strata has", () => {
  it("is counted", async () => {
    const metrics = metricsOf();
    metrics.registryRequest({ method: "GET", status: 200 });
    metrics.registryRequest({ method: "GET", status: 200 });
    metrics.registryRequest({ method: "HEAD", status: 0 });
    metrics.downloaded(1000);
    metrics.downloaded(24);
    metrics.reused(7);
    metrics.stage("operate", 1234);
    metrics.leading(true);
    metrics.trustedRoot({ refreshedAt: undefined, result: "found" });
    metrics.trustedRoot({ refreshedAt: 1_700_000_000_000, result: "success" });
    metrics.trustedRoot({ refreshedAt: 1_700_000_000_000, result: "failure" });
    metrics.trustedRoot({ refreshedAt: 1_700_000_000_000, result: "failure" });
    expect(await samples(metrics, /^(strata_(?!.*_bucket)|leader_)/)).toEqual([
      'leader_election_master_status{name="strata-controller-leader-election"} 1',
      'strata_registry_requests_total{method="GET",status="200"} 2',
      'strata_registry_requests_total{method="HEAD",status="0"} 1',
      "strata_downloaded_bytes_total 1024",
      "strata_reused_bytes_total 7",
      'strata_stage_duration_seconds_sum{stage="operate"} 1.234',
      'strata_stage_duration_seconds_count{stage="operate"} 1',
      'strata_sigstore_root_refreshes_total{result="success"} 1',
      'strata_sigstore_root_refreshes_total{result="failure"} 2',
      "strata_sigstore_root_refreshed_timestamp_seconds 1700000000",
    ]);
  });
});

describe("objects", () => {
  it("are shown as they are at each scrape", async () => {
    const metrics = metricsOf();
    const info: ResourceInfo = {
      key: podinfo,
      ready: "True",
      stalled: false,
      suspended: false,
      url: 'oci://registry/"quoted"',
      revision: "1.0.0@sha256:00",
    };
    let list: readonly ResourceInfo[] = [info, { ...info, key: other, ready: "Unknown", suspended: true }];
    metrics.showResources(() => list);
    const common =
      'customresource_group="source.strata.dev",customresource_version="v1beta1",customresource_kind="ArtifactRepository",namespace="apps"';
    expect(await samples(metrics, /^gotk_resource_info/)).toEqual([
      `gotk_resource_info{${common},name="podinfo",ready="True",stalled="false",suspended="false",url="oci://registry/\\"quoted\\"",revision="1.0.0@sha256:00"} 1`,
      `gotk_resource_info{${common},name="other",ready="Unknown",stalled="false",suspended="true",url="oci://registry/\\"quoted\\"",revision="1.0.0@sha256:00"} 1`,
    ]);
    list = [{ ...info, ready: "False" }];
    expect(await samples(metrics, /^gotk_resource_info/)).toEqual([
      expect.stringContaining('name="podinfo",ready="False"'),
    ]);
  });
});

describe("render", () => {
  it("is what Prometheus reads, with the process's own metrics", async () => {
    const metrics = metricsOf();
    const { contentType, body } = await metrics.render();
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/^process_resident_memory_bytes \d+/m);
    expect(body).toMatch(/^nodejs_eventloop_lag_seconds /m);
    expect(
      body
        .split("\n")
        .filter((line) => line !== "" && !/^(# (HELP|TYPE) \w+ .*|\w+(\{.*\})? (-?[\d.e+-]+|Nan|\+Inf))$/.test(line)),
    ).toEqual([]);
  });

  it("keeps registries apart", async () => {
    const [one, two] = [metricsOf(), metricsOf()];
    one.downloaded(5);
    expect(await samples(two, /^strata_downloaded/)).toEqual(["strata_downloaded_bytes_total 0"]);
  });
});
