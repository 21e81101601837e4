import { describe, expect, it } from "vitest";
import { eventLimits } from "../../config.ts";
import { CodedError, codeOf } from "../../errors.ts";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import { eventResource, EventRecorder, type EventDraft, type KubeEvent, type ObjectReference } from "./events.ts";
import { MemoryKube, type KubeRequest, type MemoryKubeOptions } from "../local/memory.ts";

const signal = new AbortController().signal;
const podinfo: ObjectReference = {
  apiVersion: "source.strata.dev/v1beta1",
  kind: "ArtifactRepository",
  namespace: "apps",
  name: "podinfo",
  uid: "7d0cdc51",
};
const stored: EventDraft = { type: "Normal", reason: "NewArtifact", message: "stored artifact" };

function bench(options: MemoryKubeOptions = {}): {
  clock: FakeClock;
  kube: MemoryKube;
  recorder: EventRecorder;
  requests: string[];
  dropped: string[];
  events: () => Promise<readonly KubeEvent[]>;
} {
  const clock = new FakeClock();
  const [requests, dropped]: [string[], string[]] = [[], []];
  const onRequest = async (request: KubeRequest): Promise<void> => {
    if (request.verb !== "list") requests.push(request.verb);
    if (request.verb !== "list") await options.onRequest?.(request);
  };
  const kube = new MemoryKube({ ...options, onRequest });
  const recorder = new EventRecorder({
    client: kube,
    component: "strata-controller",
    instance: "strata-0",
    limits: eventLimits,
    onDrop: (error) => dropped.push(codeOf(error)),
    clock,
  });
  const events = async (): Promise<readonly KubeEvent[]> =>
    (await kube.list<KubeEvent>(eventResource, {}, signal)).items;
  return { clock, kube, recorder, requests, dropped, events };
}

describe("EventRecorder", () => {
  it("writes an event as client-go does", async () => {
    const { recorder, events } = bench();
    recorder.record(podinfo, { ...stored, annotations: { "source.strata.dev/revision": "1.0.0@sha256:00" } });
    await settle();
    expect(await events()).toEqual([
      {
        apiVersion: "v1",
        kind: "Event",
        metadata: expect.objectContaining({
          name: expect.stringMatching(/^podinfo\.[0-9a-f]{16}$/),
          namespace: "apps",
          annotations: { "source.strata.dev/revision": "1.0.0@sha256:00" },
        }),
        involvedObject: podinfo,
        type: "Normal",
        reason: "NewArtifact",
        message: "stored artifact",
        source: { component: "strata-controller" },
        reportingComponent: "strata-controller",
        reportingInstance: "strata-0",
        firstTimestamp: "2026-11-21T08:00:00Z",
        lastTimestamp: "2026-11-21T08:00:00Z",
        count: 1,
      },
    ]);
  });

  it("counts equal events up, whether they come together or later", async () => {
    const { recorder, events, requests, clock } = bench();
    recorder.record(podinfo, stored);
    recorder.record(podinfo, stored);
    await clock.advance(60_000);
    recorder.record(podinfo, stored);
    recorder.record(podinfo, { ...stored, message: "another" });
    await clock.advance(60_000);
    for (let i = 0; i < 3; i++) recorder.record(podinfo, stored);
    await settle();
    expect(requests).toEqual(["create", "patch", "create", "patch"]);
    expect(
      (await events()).map(({ message, count, firstTimestamp, lastTimestamp }) => ({
        message,
        count,
        firstTimestamp,
        lastTimestamp,
      })),
    ).toEqual([
      {
        message: "stored artifact",
        count: 6,
        firstTimestamp: "2026-11-21T08:00:00Z",
        lastTimestamp: "2026-11-21T08:02:00Z",
      },
      { message: "another", count: 1, firstTimestamp: "2026-11-21T08:01:00Z", lastTimestamp: "2026-11-21T08:01:00Z" },
    ]);
  });

  it("begins anew where the event has expired on the server", async () => {
    const { recorder, events, kube, clock } = bench();
    recorder.record(podinfo, stored);
    await settle();
    for (const { metadata } of await events()) kube.remove(eventResource, metadata);
    await clock.advance(3_600_000);
    recorder.record(podinfo, stored);
    await settle();
    expect((await events()).map(({ count, firstTimestamp }) => ({ count, firstTimestamp }))).toEqual([
      { count: 1, firstTimestamp: "2026-11-21T09:00:00Z" },
    ]);
  });

  it("tells events of a new object of the same name apart", async () => {
    const { recorder, events } = bench();
    recorder.record(podinfo, stored);
    recorder.record({ ...podinfo, uid: "other" }, stored);
    await settle();
    expect((await events()).map(({ involvedObject }) => involvedObject.uid).sort((a, b) => (a! < b! ? -1 : 1))).toEqual(
      ["7d0cdc51", "other"],
    );
  });

  it.each([
    ["a long message", { message: "é".repeat(1000) }, 1024],
    ["a longest message", { message: "x".repeat(1024) }, 1024],
  ])("fits %s", async (_, fields, bytes) => {
    const { recorder, events } = bench();
    recorder.record(podinfo, { ...stored, ...fields });
    await settle();
    const [event] = await events();
    expect(Buffer.byteLength(event!.message)).toBeGreaterThan(bytes - 3);
    expect(Buffer.byteLength(event!.message)).toBeLessThanOrEqual(bytes);
  });

  it("makes a name that the server takes out of the longest one", async () => {
    const { recorder, events, dropped } = bench();
    recorder.record({ ...podinfo, name: `${"a".repeat(234)}.-${"b".repeat(17)}` }, stored);
    await settle();
    expect(dropped).toEqual([]);
    expect((await events()).map(({ metadata }) => metadata.name)).toEqual([
      expect.stringMatching(/^a{234}\.[0-9a-f]{16}$/),
    ]);
  });

  it("limits the events of each object for itself", async () => {
    const { recorder, events, clock } = bench();
    const message = (n: number): EventDraft => ({ ...stored, type: "Warning", message: `failure ${n}` });
    for (let i = 0; i < 100; i++) recorder.record(podinfo, message(i));
    recorder.record({ ...podinfo, name: "other", uid: "other" }, stored);
    await settle();
    expect(await events()).toHaveLength(26);
    for (let i = 100; i < 150; i++) {
      await clock.advance(60_000);
      recorder.record(podinfo, message(i));
    }
    await settle();
    expect(await events()).toHaveLength(36);
  });

  it.each<[string, (attempt: number) => CodedError | undefined, number, string[]]>([
    [
      "goes on after an outage",
      (attempt) => (attempt < 3 ? new CodedError("KubeUnreachable", "down") : undefined),
      3,
      [],
    ],
    ["gives up at last", () => new CodedError("KubeUnreachable", "down"), 4, ["KubeUnreachable"]],
    [
      "gives up at once where it may not write",
      () => new CodedError("AccessDenied", "namespace is terminating"),
      1,
      ["AccessDenied"],
    ],
    ["takes a name that exists for its own lost answer", () => new CodedError("KubeConflict", "exists"), 1, []],
  ])("%s", async (_, answer, attempts, expected) => {
    let attempt = 0;
    const { recorder, requests, dropped, clock } = bench({
      onRequest: () => {
        const error = answer(++attempt);
        if (error !== undefined) throw error;
      },
    });
    expect(recorder.record(podinfo, stored)).toBeUndefined();
    await clock.advance(60_000);
    expect(requests).toHaveLength(attempts);
    expect(dropped).toEqual(expected);
  });

  it("sends what is left when it is closed", async () => {
    const { recorder, events } = bench();
    recorder.record(podinfo, stored);
    await recorder.close(1000);
    expect(await events()).toHaveLength(1);
  });
});
