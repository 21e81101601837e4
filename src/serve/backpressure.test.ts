import { mkdtemp, open, rm } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { serverLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { onDisk, type DiskMood } from "../testing/disk.ts";
import { countedSource, MiB, noise, settled } from "../testing/archives/pressure.ts";
import { createFile } from "../store/durable.ts";
import { listen, type Handler } from "./listen.ts";
import { ociHandler } from "./oci-endpoint.ts";
import { sendContent } from "./send-content.ts";
import { artifactHandler } from "./artifact-server.ts";
import { matches, writeStream } from "../store/stage.ts";
import { keepNothing, openTestStore } from "../testing/store.ts";

/** A client that does not read must not make a server read the file for it: it would hold as many files as clients like. */

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const signal = new AbortController().signal;
const fileMiB = 256;
/** Both ends' socket buffers, which the kernel makes as large as it sees fit, and what the server holds. */
const onTheWayMiB = 16;

let dir: string;
let opened: { close(): Promise<unknown> }[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-publish-backpressure-"));
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map(async (one) => await one.close()));
  await rm(dir, { recursive: true });
});

/** Asks for `path`, reads nothing, and returns the server's response once no more goes out. */
async function stalledResponse(
  handler: Handler,
  path: string,
): Promise<{ response: ServerResponse; sent: () => number }> {
  const started = Promise.withResolvers<ServerResponse>();
  const server = await listen(
    (request, response) => {
      started.resolve(response);
      return handler(request, response);
    },
    { address: "127.0.0.1:0", limits: serverLimits },
  );
  const client = connect(server.port, "127.0.0.1").pause();
  opened.push({ close: async () => await closed(client) }, { close: async () => await server.close(0) });
  client.write(`GET ${path} HTTP/1.1\r\nhost: test\r\n\r\n`);
  const response = await started.promise;
  const sent = (): number => response.socket?.bytesWritten ?? 0;
  await settled(sent);
  return { response, sent };
}

async function closed(client: Socket): Promise<void> {
  await new Promise<void>((done) => client.once("close", () => done()).destroy());
}

/** Publishes a file of nothing but a hole. */
async function publishLarge(): Promise<Digest> {
  const path = join(dir, "staged");
  const file = await open(path, "w");
  await file.truncate(fileMiB * MiB);
  await file.close();
  const digest = sha256Of("not looked at: a staged file is moved");
  const store = await openTestStore(join(dir, "data"), { retention: keepNothing });
  await store.publish(
    {
      owner,
      blob: { path, digest, size: fileMiB * MiB, contentDigest: digest, verbatim: false },
      revision: `v@${digest}`,
      metadata: {},
    },
    signal,
  );
  return digest;
}

describe("a client that does not read", () => {
  test("stops the reading of the content, 16 MiB at most on the way", async () => {
    let pulled = 0;
    const content = {
      size: fileMiB * MiB,
      digest: sha256Of("x"),
      headers: {},
      read: (_: number, chunk: Buffer, done: (error: null, bytes: number) => void) => {
        pulled += chunk.length;
        done(null, noise.copy(chunk));
      },
      close: async () => {},
    };
    await stalledResponse((request, response) => sendContent(request, response, content), "/");
    expect(await settled(() => pulled)).toBeLessThanOrEqual(onTheWayMiB * MiB);
  });

  test.each<[string, () => Handler, (digest: Digest) => string]>([
    [
      "artifact server",
      () => artifactHandler({ root: join(dir, "data"), ready: () => true }),
      () => "/artifactrepository/apps/podinfo/latest.tar.gz",
    ],
    [
      "OCI endpoint",
      () => ociHandler({ root: join(dir, "data"), kind: owner.kind, ready: () => true }),
      (digest) => `/v2/apps/podinfo/blobs/${digest}`,
    ],
  ])("of the %s leaves it with 1 MiB at most in memory", async (_, handler, path) => {
    const { response, sent } = await stalledResponse(handler(), path(await publishLarge()));
    expect(response.statusCode).toBe(200);
    expect(sent()).toBeLessThanOrEqual(onTheWayMiB * MiB);
    expect(response.writableLength + response.socket!.writableLength).toBeLessThanOrEqual(MiB);
  });
});

describe("a disk that takes nothing", () => {
  test("holds back what is written to the storage, 3 MiB at most ahead of it", async () => {
    const content = Array.from({ length: 16 }, () => noise);
    const { chunks, pulled } = countedSource(content);
    const expected = { digest: sha256Of(Buffer.concat(content)), size: content.length * MiB };
    const path = join(dir, "restored");
    const disk = Promise.withResolvers<DiskMood>();
    await onDisk(
      dir,
      () => disk.promise,
      async () => {
        const done = writeStream(Readable.from(chunks, { objectMode: false }), path, { expected, createFile, signal });
        expect(await settled(pulled)).toBeLessThanOrEqual(3 * MiB);
        disk.resolve("good");
        await done;
      },
    );
    expect(await matches(path, expected, signal)).toBe(true);
  });
});
