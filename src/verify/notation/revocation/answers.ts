import { createHash, type X509Certificate } from "node:crypto";
import { LRUCache } from "lru-cache";
import pLimit, { type LimitFunction } from "p-limit";
import { CodedError, messageOf } from "../../../errors.ts";
import { unlessAborted } from "../../../http/abort.ts";
import type { Ask, Question } from "../../../http/ask.ts";
import type { VerifyLimits } from "../../limits.ts";

/** Requests up to this length may be asked by GET, which caches on the way understand (RFC 6960, A.1). */
const maxGet = 255;

/** What is asked, and whose answer counts. */
export interface Asked {
  readonly address: string;
  /** A request to an OCSP responder; undefined asks for a list. */
  readonly request?: Buffer;
  /** Has signed the answer, or has named who has. */
  readonly issuer: X509Certificate;
}

/** @throws RangeError for an answer that does not count */
type Prove<T> = (body: Buffer) => T | Promise<T>;

/**
 * Asks the servers that proven certificates name, and keeps what they have said. An answer is kept only once its issuer's
 * signature is proven, under that issuer's certificate, and is proven anew each time it is used: it matters neither who has
 * asked nor over which connection it came. Of lists, which may be large, a few are read at once; whoever has waited for another
 * may find there what it came for.
 */
export class Answers {
  readonly #ask: Ask;
  readonly #limits: VerifyLimits;
  readonly #kept: LRUCache<string, Buffer>;
  readonly #lists: LimitFunction;

  constructor(ask: Ask, limits: VerifyLimits) {
    this.#ask = ask;
    this.#limits = limits;
    this.#kept = new LRUCache({ ...limits.revocationCache, sizeCalculation: ({ length }) => length + 1 });
    this.#lists = pLimit(limits.listsAtOnce);
  }

  /**
   * What `prove` makes of the answer.
   *
   * @throws RangeError with why nothing is known; what the signal was aborted with
   */
  async get<T>(asked: Asked, prove: Prove<T>, signal: AbortSignal): Promise<T> {
    const known = await this.#known(asked, prove);
    if (known !== undefined) return known.value;
    if (asked.request !== undefined) return await this.#asked(asked, prove, signal);
    const inTurn = this.#lists(async () => {
      signal.throwIfAborted();
      const given = await this.#known(asked, prove);
      return given === undefined ? await this.#asked(asked, prove, signal) : given.value;
    });
    return await unlessAborted(inTurn, signal, () => new CodedError("Aborted", "waiting for a list was aborted"));
  }

  async #known<T>(asked: Asked, prove: Prove<T>): Promise<{ readonly value: T } | undefined> {
    const key = keyOf(asked);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    try {
      return { value: await prove(kept) };
    } catch {
      // Most often it has expired by now.
      this.#kept.delete(key);
      return undefined;
    }
  }

  async #asked<T>(asked: Asked, prove: Prove<T>, signal: AbortSignal): Promise<T> {
    const body = await this.#fetch(questionOf(asked, this.#limits), signal);
    const value = await prove(body);
    this.#kept.set(keyOf(asked), body);
    return value;
  }

  async #fetch(question: Question, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#ask(question, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // The address is told already, and a request to a responder in it says nothing to people.
      throw new RangeError(messageOf(error).replace(/^(?:GET|POST) \S+: /, ""), { cause: error });
    }
  }
}

function keyOf({ address, request, issuer }: Asked): string {
  const parts = [address, request?.toString("base64") ?? "", issuer.fingerprint256];
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64");
}

/** @throws RangeError for addresses that are not asked: as in notation, only plain HTTP, since the answer proves itself */
function questionOf({ address, request }: Asked, limits: VerifyLimits): Question {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:") throw new RangeError("only http:// addresses are asked");
  if (request === undefined) return { url, ...limits.revocationList };
  const text = encodeURIComponent(request.toString("base64"));
  if (text.length >= maxGet || url.search !== "")
    return { url, ...limits.ocsp, body: { type: "application/ocsp-request", bytes: request } };
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${text}`;
  return { url, ...limits.ocsp };
}
