import { CodedError } from "../errors.ts";
import type { Descriptor } from "../oci/types.ts";
import { givenUp, isTransient, networkError } from "./errors.ts";
import { Pace, wasSlow } from "./pace.ts";
import { backoffMs, pause, progressBytes } from "./retry.ts";
import type { RegistryRequest } from "./request.ts";
import type { Session } from "./session.ts";
import type { Headers, HttpResponse } from "./http-message.ts";
import { counted } from "../text/count.ts";

/**
 * The bytes of one blob. A download that breaks off is resumed where it stopped; the registry is asked again each time,
 * for a redirect to storage may have expired.
 */
export class Download {
  readonly #session: Session;
  readonly #descriptor: Descriptor;
  readonly #signal: AbortSignal;
  readonly #pace: Pace;
  #response: HttpResponse;
  #received = 0;
  /** Bytes at the head of the response that are already here. */
  #skip = 0;

  private constructor(session: Session, descriptor: Descriptor, first: HttpResponse, signal: AbortSignal) {
    this.#session = session;
    this.#descriptor = descriptor;
    this.#signal = signal;
    this.#pace = new Pace(session.shared.pace, descriptor.size);
    this.#response = first;
  }

  /** @throws SizeMismatch where the registry announces another length, NotFound, … */
  static async open(session: Session, descriptor: Descriptor, signal: AbortSignal): Promise<Download> {
    const response = await session.send(blobRequest(descriptor, {}, [200]), signal, whole);
    const length = response.header("content-length");
    if (length === undefined || Number(length) === descriptor.size)
      return new Download(session, descriptor, response, signal);
    response.body.destroy();
    throw new CodedError(
      "SizeMismatch",
      `${response.name}: ${length} bytes, not ${descriptor.size} as its descriptor says`,
    );
  }

  close(): void {
    this.#response.body.destroy();
  }

  async *bytes(): AsyncGenerator<Buffer> {
    const { attempts } = this.#session.shared.retry;
    for (let stalls = 0, progressAt = 0; ;) {
      const broken = yield* this.#part();
      if (this.#received >= this.#descriptor.size) return;
      // One that was slow may be better elsewhere, but not again and again.
      stalls += wasSlow(broken) ? attempts / 2 : 1;
      if (this.#received - progressAt >= progressBytes) [stalls, progressAt] = [0, this.#received];
      if (stalls >= attempts || this.#pace.isOver || !isTransient(broken)) throw broken;
      await pause(backoffMs(this.#session.shared.retry, stalls), this.#signal);
      await this.#resume();
    }
  }

  /** What the present response brings; returns the reason why that is not the whole. */
  async *#part(): AsyncGenerator<Buffer, CodedError> {
    const response = this.#response;
    const watch = this.#pace.watch(response.name, (error) => response.body.destroy(error));
    watch.waits();
    try {
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        watch.got(chunk.length);
        const fresh = chunk.subarray(this.#skip);
        this.#skip -= chunk.length - fresh.length;
        this.#received += fresh.length;
        this.#session.shared.onBytes?.(response.url.host, chunk.length);
        if (fresh.length > 0) yield fresh;
        watch.waits();
      }
    } catch (error) {
      return this.#signal.aborted ? givenUp(this.#signal) : networkError(response.name, error);
    } finally {
      watch.stop();
    }
    return this.#endedEarly("RegistryUnreachable");
  }

  async #resume(): Promise<void> {
    const received = this.#received;
    const headers = rangeHeaders(received, this.#response.header("etag"));
    const response = await this.#session.send(
      blobRequest(this.#descriptor, headers, [200, 206, 416]),
      this.#signal,
      whole,
    );
    this.#response = response;
    // A registry without ranges sends everything again.
    this.#skip = response.status === 200 ? received : 0;
    if (response.status === 200 || (response.status === 206 && this.#fits(response))) return;
    this.close();
    if (response.status === 416) throw this.#endedEarly("SizeMismatch");
    throw new CodedError(
      "RegistryResponseInvalid",
      `${response.name}: bytes from ${received} on were asked for, the registry sends others`,
    );
  }

  #fits(response: HttpResponse): boolean {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header("content-range") ?? "");
    return (
      range !== null &&
      Number(range[1]) === this.#received &&
      (range[2] === "*" || Number(range[2]) === this.#descriptor.size)
    );
  }

  #endedEarly(code: "RegistryUnreachable" | "SizeMismatch"): CodedError {
    return new CodedError(
      code,
      `${this.#response.name}: the content ends after ${this.#received} of ${counted(this.#descriptor.size, "byte")}`,
    );
  }
}

function blobRequest(descriptor: Descriptor, headers: Headers, accept: readonly number[]): RegistryRequest {
  return {
    method: "GET",
    path: `blobs/${descriptor.digest}`,
    needs: "pull",
    traffic: "bulk",
    headers: { accept: "*/*", ...headers },
    accept,
  };
}

/** RFC 9110, 13.1.5: only a strong validator may guard a range. */
function rangeHeaders(received: number, etag: string | undefined): Headers {
  if (received === 0) return {};
  return { range: `bytes=${received}-`, ...(etag?.startsWith('"') && { "if-range": etag }) };
}

const whole = (response: HttpResponse): Promise<HttpResponse> => Promise.resolve(response);
