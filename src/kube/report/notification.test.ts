import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notificationLimits } from "../../config.ts";
import { codeOf, messageOf, type CodedError } from "../../errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { Notifier, type Notification, type NotifierOptions } from "./notification.ts";

/** fluxcd/pkg/apis/event/v1beta1, Event; what it has not, notification-controller drops. */
const fluxEvent = z.strictObject({
  involvedObject: z.strictObject({
    apiVersion: z.string().min(1),
    kind: z.string().min(1),
    namespace: z.string().min(1),
    name: z.string().min(1),
    uid: z.string().optional(),
  }),
  severity: z.enum(["trace", "info", "error"]),
  timestamp: z.iso.datetime({ precision: 0 }),
  message: z.string().min(1).max(39_000),
  reason: z.string().regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/),
  metadata: z.record(z.string(), z.string()).optional(),
  reportingController: z.string().min(1),
  reportingInstance: z.string().optional(),
});

const stored: Notification = {
  object: {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "ExternalArtifact",
    namespace: "apps",
    name: "podinfo",
    uid: "7d0cdc51",
  },
  severity: "info",
  reason: "NewArtifact",
  message: "stored artifact",
  metadata: { revision: "1.0.0@sha256:00", digest: "sha256:11" },
  annotations: {
    "event.toolkit.fluxcd.io/deploymentID": "e076e315",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
  },
};

let server: Server;
let url: string;
let bodies: unknown[];
/** The answers to come; then 202. */
let answers: (number | "hang" | "cut")[];

beforeEach(async () => {
  bodies = [];
  answers = [];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push({ method: request.method, type: request.headers["content-type"], ...(JSON.parse(body) as object) });
      const answer = answers.shift() ?? 202;
      if (answer === "cut") request.socket.destroy();
      else if (answer !== "hang")
        response.writeHead(answer, answer === 307 ? { location: "/elsewhere" } : {}).end("answer");
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  const closed = new Promise((done) => server.close(done));
  server.closeAllConnections();
  await closed;
});

function bench(options: Partial<NotifierOptions> = {}): {
  clock: FakeClock;
  notifier: Notifier;
  dropped: unknown[];
  flush: (count: number) => Promise<void>;
} {
  const clock = new FakeClock();
  const dropped: unknown[] = [];
  const notifier = new Notifier({
    url,
    controller: "strata-controller",
    instance: "strata-0",
    limits: notificationLimits,
    onDrop: (error) => dropped.push(error),
    clock,
    ...options,
  });
  // Requests take real time, pauses between them do not.
  const flush = async (count: number): Promise<void> => {
    for (let turn = 0; turn < 500 && bodies.length + dropped.length < count; turn++) {
      await clock.advance(100);
      await new Promise((done) => setTimeout(done, 1));
    }
  };
  return { clock, notifier, dropped, flush };
}

describe("Notifier", () => {
  it("posts what notification-controller takes", async () => {
    const { notifier, dropped } = bench();
    notifier.send(stored);
    await notifier.close(5000);
    expect(bodies).toEqual([
      {
        method: "POST",
        type: "application/json",
        involvedObject: stored.object,
        severity: "info",
        timestamp: "2026-11-21T08:00:00Z",
        message: "stored artifact",
        reason: "NewArtifact",
        metadata: {
          "source.toolkit.fluxcd.io/revision": "1.0.0@sha256:00",
          "source.toolkit.fluxcd.io/digest": "sha256:11",
          "event.toolkit.fluxcd.io/deploymentID": "e076e315",
        },
        reportingController: "strata-controller",
        reportingInstance: "strata-0",
      },
    ]);
    expect(dropped).toEqual([]);
  });

  it.each<[string, Partial<Notification>]>([
    ["as it is", {}],
    ["of a failure", { severity: "error", reason: "AmbiguousManifest" }],
    ["without metadata", { metadata: {}, annotations: {} }],
    ["with an origin", { metadata: { revision: "1@sha256:00", originRevision: "main@sha1:00", digest: "sha256:11" } }],
    ["with a message beyond all bounds", { message: "é".repeat(60_000) }],
    ["with a message of hostile characters", { message: "a\u0000b\u001b[31m\ud800\u202e" }],
    ["of an object without uid", { object: { apiVersion: "v1", kind: "K", namespace: "n", name: "m" } }],
  ])("posts what is an Event of Flux: %s", async (_, change) => {
    const { notifier } = bench();
    notifier.send({ ...stored, ...change });
    await notifier.close(5000);
    const [{ method: _method, type: _type, ...body }] = bodies as [Record<string, unknown>];
    expect(fluxEvent.safeParse(body).error?.issues).toBeUndefined();
    expect(Object.keys(body["metadata"] as object).every((key) => key.includes("/"))).toBe(true);
  });

  it("sends an equal notification again only after some minutes", async () => {
    const { notifier, clock, flush } = bench();
    notifier.send(stored);
    notifier.send(stored);
    notifier.send({ ...stored, reason: "Other", severity: "error", metadata: { ...stored.metadata, digest: "other" } });
    await flush(1);
    notifier.send({ ...stored, metadata: { revision: "1.0.1@sha256:22" } });
    notifier.send({ ...stored, message: "other" });
    notifier.send({ ...stored, object: { ...stored.object, name: "other" } });
    await flush(4);
    await clock.advance(notificationLimits.duplicateMs);
    notifier.send(stored);
    await flush(5);
    await notifier.close(1000);
    expect(bodies).toHaveLength(5);
  });

  it.each<[string, (number | "cut")[], number, string[]]>([
    ["tries again after an answer that may pass", [503, 500], 3, []],
    ["tries again after a cut connection", ["cut"], 2, []],
    ["gives up at last", [503, 503, 503, 503, 503, 503], 5, ["KubeUnreachable"]],
    ["takes 429 for what it is, a duplicate", [429], 1, []],
    ["does not follow redirects", [307], 1, ["KubeRejected"]],
    ["does not repeat what is refused", [400], 1, ["KubeRejected"]],
  ])("%s", async (_, given, requests, expected) => {
    answers = given;
    const { notifier, dropped, flush } = bench();
    notifier.send(stored);
    await flush(requests + expected.length);
    await notifier.close(1000);
    expect(bodies).toHaveLength(requests);
    expect(dropped.map(codeOf)).toEqual(expected);
  });

  it("may send again what was dropped", async () => {
    answers = [400];
    const { notifier, flush } = bench();
    notifier.send(stored);
    await flush(2);
    notifier.send(stored);
    await flush(3);
    expect(bodies).toHaveLength(2);
  });

  it("does not wait for a server that does not answer", async () => {
    answers = ["hang", "hang"];
    const { notifier, dropped, flush } = bench({ limits: { ...notificationLimits, timeoutMs: 30, attempts: 2 } });
    notifier.send(stored);
    await flush(3);
    expect(bodies).toHaveLength(2);
    expect(dropped.map(codeOf)).toEqual(["KubeUnreachable"]);
  });

  it("does not hold up the end of the process", async () => {
    answers = ["hang"];
    const { notifier, dropped, clock, flush } = bench();
    notifier.send(stored);
    await flush(1);
    const closed = notifier.close(100);
    await clock.advance(100);
    await closed;
    expect(dropped.map(codeOf)).toEqual(["Aborted"]);
  });

  it("says where it could not send to, without the query", async () => {
    const { notifier, dropped, flush } = bench({
      url: "http://127.0.0.1:1/events?token=s3cret",
      limits: { ...notificationLimits, attempts: 1 },
    });
    notifier.send(stored);
    await flush(1);
    expect(dropped.map(messageOf)).toEqual([
      expect.stringMatching(/^no event could be sent to http:\/\/127\.0\.0\.1:1\/events: ./),
    ]);
  });

  it("cuts a message that is too long", async () => {
    const { notifier } = bench();
    notifier.send({ ...stored, message: `it failed: ${"word ".repeat(10_000)}; write this` });
    await notifier.close(5000);
    const { message } = bodies[0] as { message: string };
    expect([message.length > 38_000, Buffer.byteLength(message) <= 39_000]).toEqual([true, true]);
    expect(message).toMatch(/^it failed: .*; write this$/);
  });

  it.each(["", "notification-controller", "ftp://host/", "http://user:password@host/", "https://user@host/"])(
    "refuses %j as its address",
    (address) => {
      expect(() => bench({ url: address })).toThrow(
        expect.objectContaining({ code: "InvalidSpec" } satisfies Partial<CodedError>),
      );
    },
  );
});
