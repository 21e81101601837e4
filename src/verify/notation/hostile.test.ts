import { createHash, X509Certificate } from "node:crypto";
import { assert, asyncProperty, nat, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../errors.ts";
import { EventLoopTurns } from "../../event-loop-turns.ts";
import { makeCertificate } from "../../testing/signatures/certificates.ts";
import { listPoints, ocspResponse, revocationList } from "../../testing/signatures/revocation-server.ts";
import { TestTimestampAuthority } from "../../testing/signatures/timestamps.ts";
import { assertSigningChain } from "./certificate.ts";
import { derTag } from "./der.ts";
import { stateIn } from "./revocation/entries.ts";
import { readList } from "./revocation/list.ts";
import { readOcspAnswer } from "./revocation/ocsp.ts";
import { serversOf } from "./revocation/servers.ts";
import { verifyTimestamp } from "./timestamp.ts";

const root = makeCertificate({ subject: { CN: "root" }, ca: true, usage: ["keyCertSign", "cRLSign"] });
const leaf = makeCertificate({ issuer: root, extensions: [listPoints([["http://x.test/list"]])] });
const responder = makeCertificate({ issuer: root, purposes: ["1.3.6.1.5.5.7.3.9"] });
const authority = new TestTimestampAuthority();
const message = Buffer.from("signature");
const link = { certificate: leaf.certificate, issuer: root.certificate };
const moment = { now: Date.now(), signedAt: undefined };

/** Whatever is read of a stranger's bytes: nothing but these says what is wrong with them. */
function isRefusal(error: unknown): boolean {
  return error instanceof RangeError || codeOf(error) === "VerificationFailed";
}

const good = {
  timestamp: authority.token(createHash("sha256").update(message).digest(), {
    chain: [authority.leaf, authority.root],
  }),
  ocsp: ocspResponse(leaf, root, { signer: responder, certificates: [responder] }),
  list: revocationList(root, [{ certificate: leaf, at: new Date(), reason: 6 }]),
  certificate: leaf.certificate.raw,
};
const readers: Readonly<Record<keyof typeof good, (bytes: Buffer) => unknown>> = {
  timestamp: (bytes) => verifyTimestamp(bytes, message, [authority.root.certificate]),
  ocsp: (bytes) => readOcspAnswer(bytes, link, moment),
  list: async (bytes) =>
    await stateIn([readList(bytes, link, { now: moment.now, point: [] })], link, {
      signedAt: undefined,
      turns: new EventLoopTurns(),
    }),
  certificate: (bytes) => {
    const certificate = certificateOf(bytes);
    assertSigningChain([certificate, root.certificate]);
    return serversOf(certificate);
  },
};

function certificateOf(bytes: Buffer): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new RangeError("OpenSSL does not take it", { cause });
  }
}

describe.each(Object.keys(good) as (keyof typeof good)[])("%s", (kind) => {
  const refuses = async (bytes: Buffer): Promise<void> => {
    try {
      await readers[kind](bytes);
    } catch (error) {
      expect(isRefusal(error), String(error)).toBe(true);
    }
  };

  it("is read as it is", async () => {
    await expect(Promise.resolve(readers[kind](good[kind]))).resolves.toBeDefined();
  });

  it("is refused, and never anything else, with bytes changed, removed and repeated", async () => {
    const bytes = good[kind];
    const at = nat(bytes.length - 1);
    await assert(
      asyncProperty(at, nat(255), async (place, value) => {
        const changed = Buffer.from(bytes);
        changed[place] = value;
        await refuses(changed);
      }),
      { numRuns: 400 },
    );
    await assert(
      asyncProperty(at, at, async (from, to) => {
        await refuses(Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]));
      }),
      { numRuns: 200 },
    );
  });

  it("is refused where it is anything at all", async () => {
    await assert(asyncProperty(uint8Array({ maxLength: 200 }), async (bytes) => await refuses(Buffer.from(bytes))));
  });
});

describe("a list that anybody on the way could send", () => {
  const header = (tag: number, { length }: Buffer): Buffer => {
    const bytes = Buffer.from([tag, 0x84, 0, 0, 0, 0]);
    bytes.writeUInt32BE(length, 2);
    return bytes;
  };
  const element = (tag: number, content: Buffer): Buffer => Buffer.concat([header(tag, content), content]);
  const read = (bytes: Buffer) => () => readList(bytes, link, { now: moment.now, point: [] });

  it.each([
    ["in what is signed", (tiny: Buffer) => element(derTag.sequence, element(derTag.sequence, tiny))],
    ["beside it", (tiny: Buffer) => element(derTag.sequence, tiny)],
  ])("is refused for millions of elements %s, before they take memory", (_, wrap) => {
    expect(read(wrap(Buffer.alloc(2 ** 21, Buffer.from([5, 0]))))).toThrow(/more than 1000 elements/);
  });

  it("is refused for an object identifier of megabytes", () => {
    const algorithm = element(derTag.sequence, element(derTag.objectIdentifier, Buffer.alloc(2 ** 20, 1)));
    const signature = element(derTag.bitString, Buffer.from([0, 1]));
    const data = element(derTag.sequence, algorithm);
    expect(read(element(derTag.sequence, Buffer.concat([data, algorithm, signature])))).toThrow(/object identifier of/);
  });
});
