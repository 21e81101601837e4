import { randomUUID } from "node:crypto";
import { GROUP, KIND, VERSION } from "../../api/v1beta1/constants.ts";
import { storageFailed } from "../archive/spool.ts";
import {
  credentialDefaults,
  defaultLimits,
  eventLimits,
  kubeDefaults,
  notificationLimits,
  probeLimits,
  registryDefaults,
  stopDefaults,
  type ControllerConfig,
} from "../config.ts";
import { announcer } from "../controller/announcer.ts";
import { makeDirectory } from "../disk/make-directory.ts";
import { spaceOf } from "../disk/space.ts";
import { Caches } from "../controller/caches.ts";
import { startLoop, type Loop } from "../controller/loop.ts";
import { resourceInfo } from "../controller/resource-info.ts";
import { capacity } from "../controller/capacity.ts";
import { cloudCredentials } from "../credentials/clouds.ts";
import type { Deps } from "../controller/ports.ts";
import { aborted } from "../http/abort.ts";
import { connectKube, type KubeConnection } from "../kube/http/connect.ts";
import { EventRecorder } from "../kube/report/events.ts";
import { Notifier } from "../kube/report/notification.ts";
import { runLeaderElection } from "../kube/run/leader.ts";
import { leaseName } from "../kube/run/lease-name.ts";
import { clusterSources } from "../pipeline/sources.ts";
import { reconcilerDeps } from "../reconciler/deps.ts";
import { startServers, type Servers } from "../reconciler/servers.ts";
import { askOutside } from "../registry/ask.ts";
import { RegistryClient } from "../registry/client.ts";
import { startHeartbeat, watchHeartbeat } from "../runtime/heartbeat.ts";
import { createLogger, type Logger } from "../runtime/log.ts";
import { createMetrics, type Metrics } from "../runtime/metrics.ts";
import { Replica } from "../runtime/replica.ts";
import { certificateIn } from "../serve/certificate.ts";
import { serveMetrics, serveProbes } from "../serve/health.ts";
import type { Certificate } from "../serve/listen.ts";
import { controllerRoot } from "./sigstore-root.ts";

const component = "strata-controller";

/**
 * Runs the controller until the signal ends it, or leadership is lost. @throws what keeps it from starting or going on
 * @param started is called as soon as it serves and watches
 */
export async function runController(config: ControllerConfig, started: () => void, signal: AbortSignal): Promise<void> {
  const { flags } = config;
  const logger = createLogger({
    level: flags["log-level"],
    encoding: flags["log-encoding"],
    kind: { group: GROUP, kind: KIND },
  });
  const metrics = createMetrics({ kind: { group: GROUP, version: VERSION, kind: KIND }, concurrent: flags.concurrent });
  const publicRoot = await controllerRoot(config, { logger, metrics }, signal);
  await makeDirectory(flags["storage-path"]).catch((error: unknown) => {
    throw storageFailed(error);
  });
  const kube = await connectKube({
    ...kubeDefaults,
    kubeconfig: flags.kubeconfig,
    inCluster: config.inCluster,
    qps: flags["kube-api-qps"],
    burst: flags["kube-api-burst"],
    userAgent: component,
  });
  const controller = new Controller(config, { logger, metrics, kube, publicRoot, started });
  try {
    await controller.run(signal);
  } finally {
    await kube.close();
  }
}

interface Process {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly kube: KubeConnection;
  /** Undefined: the one that came along. */
  readonly publicRoot: Awaited<ReturnType<typeof controllerRoot>>;
  readonly started: () => void;
}

/** What only the leader has. */
interface LeaderParts {
  readonly registry: RegistryClient;
  readonly servers: Servers;
  readonly caches: Caches;
  readonly announce: ReturnType<typeof announcer>;
}

class Controller {
  readonly #config: ControllerConfig;
  readonly #process: Process;
  readonly #identity: string;
  readonly #stopping = new AbortController();
  readonly #replica: Replica;

  constructor(config: ControllerConfig, process: Process) {
    this.#config = config;
    this.#process = process;
    this.#identity = `${config.hostname}_${randomUUID()}`;
    const { flags } = config;
    this.#replica = new Replica(
      { ...stopDefaults, totalMs: flags["graceful-shutdown-timeout"] },
      watchHeartbeat(flags["storage-path"], this.#stopping.signal),
    );
  }

  /** Serves, watches and waits for leadership; the work itself is `#lead`. */
  async run(signal: AbortSignal): Promise<void> {
    const { flags } = this.#config;
    const { logger, metrics, kube } = this.#process;
    const stopping = this.#stopping.signal;
    const replica = this.#replica;
    const closers: (() => Promise<void>)[] = [];
    try {
      const probes = await serveProbes(flags["health-addr"], probeLimits, () => replica.isReady);
      closers.push(async () => await probes.close());
      const scraped = await serveMetrics(flags["metrics-addr"], probeLimits, async () => await metrics.render());
      closers.push(async () => await scraped.close());
      let caches: Caches | undefined;
      const servers = await this.#serve((owner, path) => caches?.missed(owner, path));
      closers.push(async () => await servers.close(replica.graceLeftMs()));
      caches = new Caches(
        {
          kube: kube.client,
          namespace: flags["watch-all-namespaces"] ? undefined : this.#config.runtimeNamespace,
          labelSelector: flags["watch-label-selector"] || undefined,
          log: logger.log,
        },
        stopping,
      );
      metrics.showResources(() => caches.objects.list().map(resourceInfo));
      metrics.showStorage(async () => await spaceOf(flags["storage-path"]));
      void caches.synced.then(() => replica.synced()).catch(() => undefined);
      this.#process.started();
      logger.log("info", "started", { storage: flags["storage-path"], artifacts: servers.advertised });
      await this.#elected(caches, servers, signal);
    } finally {
      this.#stopping.abort(new DOMException("stopped", "AbortError"));
      for (const close of closers.toReversed()) await close();
    }
  }

  async #serve(onMissing: Caches["missed"]): Promise<Servers> {
    const { flags, hostname } = this.#config;
    const address = flags["oci-endpoint-addr"];
    const certificate = (flag: "storage-cert-dir" | "oci-endpoint-cert-dir"): { certificate?: () => Certificate } =>
      flags[flag] === "" ? {} : { certificate: certificateIn(flags[flag], flag) };
    return await startServers({
      root: flags["storage-path"],
      address: flags["storage-addr"],
      advertised: flags["storage-adv-addr"],
      hostname,
      ...certificate("storage-cert-dir"),
      oci:
        address === ""
          ? undefined
          : {
              address,
              advertised: flags["oci-endpoint-adv-addr"],
              ...certificate("oci-endpoint-cert-dir"),
            },
      ready: () => this.#replica.holdsFiles,
      onError: (error) => this.#process.logger.log("error", "answering a request failed", { error }),
      onMissing: ({ owner, directory, file }) => onMissing(owner, `${directory}/${file}`),
    });
  }

  async #elected(caches: Caches, servers: Servers, signal: AbortSignal): Promise<void> {
    const { flags, runtimeNamespace } = this.#config;
    const { kube, logger } = this.#process;
    if (!flags["enable-leader-election"])
      return await this.#lead(caches, servers, { lost: new AbortController().signal, signal });
    await runLeaderElection({
      client: kube.client,
      key: { namespace: runtimeNamespace, name: leaseName(component, flags["watch-label-selector"]) },
      identity: this.#identity,
      timings: {
        leaseDurationMs: flags["leader-election-lease-duration"],
        renewDeadlineMs: flags["leader-election-renew-deadline"],
        retryPeriodMs: flags["leader-election-retry-period"],
      },
      release: flags["leader-election-release-on-cancel"],
      onLeading: async (lost) => await this.#lead(caches, servers, { lost, signal }),
      onProblem: (error) => logger.log("error", "electing a leader failed", { error }),
      signal,
    });
  }

  /** The leader's work: until it is told to stop, or must stop. */
  async #lead(
    caches: Caches,
    servers: Servers,
    { lost, signal }: { lost: AbortSignal; signal: AbortSignal },
  ): Promise<void> {
    const { flags } = this.#config;
    const { logger, metrics } = this.#process;
    const ending = AbortSignal.any([lost, signal]);
    // Where the API server cannot be reached, this may take for ever.
    await Promise.race([caches.synced, aborted(ending)]);
    if (ending.aborted) return;
    const registry = new RegistryClient({
      ...registryDefaults,
      connectionsPerHost: capacity.connections(flags.concurrent),
      environmentProxy: this.#config.proxy,
      onRequest: ({ method, status }) => metrics.registryRequest({ method, status }),
    });
    const tell = this.#announcer();
    const deps = await this.#deps({ registry, servers, caches, announce: tell.announce }, ending);
    startHeartbeat(flags["storage-path"], this.#identity, AbortSignal.any([ending, this.#stopping.signal]));
    this.#replica.leads();
    metrics.leading(true);
    logger.log("info", "leading", { identity: this.#identity });
    const loop = this.#start(caches, deps);
    await aborted(ending);
    this.#replica.stops();
    metrics.leading(false);
    const left = await loop.stop(this.#replica.reconcilesGraceMs(lost.aborted));
    if (left.length > 0) logger.log("error", "some reconciles did not stop", { count: left.length });
    await tell.close();
    // A token may still be on its way for those who have stopped waiting.
    await registry.destroy();
  }

  #start(caches: Caches, deps: Deps): Loop {
    const { flags } = this.#config;
    const { logger, metrics } = this.#process;
    const loop = startLoop(caches, deps, {
      concurrent: flags.concurrent,
      backoff: { baseMs: flags["min-retry-delay"], maxMs: flags["max-retry-delay"] },
      within: logger.within,
      onQueueEvent: (event) => metrics.queue.event(event),
      onReconciled: (key, result, milliseconds) => metrics.reconciled(key, result, milliseconds),
      onDeleted: ({ metadata }) => metrics.deleted(metadata),
    });
    metrics.queue.show(() => loop.queue.state());
    return loop;
  }

  async #deps({ registry, servers, caches, announce }: LeaderParts, signal: AbortSignal): Promise<Deps> {
    const { flags, azure } = this.#config;
    const { logger, metrics, kube, publicRoot } = this.#process;
    const sources = clusterSources({
      registry,
      kube: kube.client,
      clouds: cloudCredentials(azure, credentialDefaults.cloud),
      limits: defaultLimits,
      defaultServiceAccount: flags["default-service-account"],
    });
    return await reconcilerDeps(
      {
        root: flags["storage-path"],
        kube: kube.client,
        sources,
        servers,
        publicRoot,
        ask: askOutside({ ...registryDefaults, environmentProxy: this.#config.proxy }),
        announce,
        meter: metrics,
        log: logger.log,
        retention: { ttlMs: flags["artifact-retention-ttl"], records: flags["artifact-retention-records"] },
        cachedExternalArtifact: (key) => caches.externalArtifacts.get(key),
        settings: {
          intervalJitterPercentage: flags["interval-jitter-percentage"],
          requeueDependencyMs: flags["requeue-dependency"],
        },
      },
      signal,
    );
  }

  #announcer(): { readonly announce: ReturnType<typeof announcer>; close(): Promise<void> } {
    const { flags, hostname } = this.#config;
    const { logger, kube } = this.#process;
    const onDrop = (error: unknown): void => logger.log("debug", "an event was not sent", { error });
    const recorder = new EventRecorder({
      client: kube.client,
      component,
      instance: hostname,
      limits: eventLimits,
      onDrop,
    });
    const url = flags["events-addr"];
    const notifier =
      url === ""
        ? undefined
        : new Notifier({ url, controller: component, instance: hostname, limits: notificationLimits, onDrop });
    const { eventsMs } = stopDefaults;
    return {
      announce: announcer(recorder, notifier),
      close: async () => void (await Promise.all([recorder.close(eventsMs), notifier?.close(eventsMs)])),
    };
  }
}
