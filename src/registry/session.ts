import { createHmac, randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import type { Credential, CredentialProvider, CredentialTarget } from "../credentials/provider.ts";
import { CodedError } from "../errors.ts";
import { Deadline, seconds, type TimeLimit } from "../http/deadline.ts";
import { readStart } from "../http/failures.ts";
import type { Limits } from "../oci/limits.ts";
import { patienceFor } from "../sharing/shared-work.ts";
import type { AuthRequest } from "./auth.ts";
import { discard, readBody } from "./body.ts";
import type { Channel, Material, Traffic } from "./channel.ts";
import { requestName, statusError } from "./errors.ts";
import { pacedBody, type PaceLimits } from "./pace.ts";
import { retryAfterMs, type RetryPolicy, withRetry } from "./retry.ts";
import { exchange, type Headers, type HttpResponse, type Method, type TransportOptions } from "./transport.ts";

/** How one repository is reached. */
export interface Access extends Material {
  readonly credentials?: CredentialProvider | undefined;
  /** Plain HTTP. There is no way to switch the verification of certificates off. */
  readonly insecure?: boolean;
  /** For an answer, all retries together; of content for its head alone, see `PaceLimits`. */
  readonly timeoutMs: number;
  readonly limits: Limits;
}

/** What every session of a client shares. */
export interface Shared {
  readonly transport: TransportOptions;
  readonly retry: RetryPolicy;
  readonly pace: PaceLimits;
  readonly uploadChunkBytes: number;
  readonly onBytes: ((host: string, bytes: number) => void) | undefined;
  channel(): Channel;
}

/** A request to the repository. */
export interface RegistryRequest {
  readonly method: Method;
  /** Below `/v2/<repository>/`, or the URL that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Headers;
  readonly body?: () => Readable | Uint8Array;
  readonly needs: "pull" | "push" | "delete";
  /** Repository that a blob is mounted from. */
  readonly mountFrom?: string;
  readonly traffic?: Traffic;
  /** Statuses that are an answer; any other is an error. */
  readonly accept: readonly number[];
  /** False for requests whose repetition is the caller's business. */
  readonly retry?: boolean;
}

/** One request with its retries. */
interface Attempt {
  readonly request: RegistryRequest;
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly leftMs?: () => number;
}

const maxErrorBytes = 8192;
/** Of all that wait for the same token, each waits as long as its own `timeout` says. */
const tokenTimeoutMs = 30_000;
/** Fingerprints mean nothing outside of this process. */
const fingerprintKey = randomBytes(32);

const actions = { pull: "pull", push: "pull,push", delete: "pull,push,delete" } as const;

/** Authorized requests, with retries, to one repository. Lives as long as a piece of work on that repository. */
export class Session {
  readonly target: CredentialTarget;
  readonly access: Access;
  readonly shared: Shared;
  readonly origin: string;
  #credential: Promise<{ credential: Credential | undefined; fingerprint: string }> | undefined;

  constructor(target: CredentialTarget, origin: string, access: Access, shared: Shared) {
    this.target = target;
    this.origin = origin;
    this.access = access;
    this.shared = shared;
  }

  /** `registry.example/team/app` */
  get name(): string {
    return `${this.target.registry}/${this.target.repository}`;
  }

  url(path: string): URL {
    return new URL(`${this.origin}/v2/${this.target.repository}/${path}`);
  }

  /**
   * Sends `request` and hands an accepted response to `consume`, which reads its body. When the response breaks off
   * in there, the whole is tried again.
   */
  async send<T>(
    request: RegistryRequest,
    signal: AbortSignal,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const url = typeof request.path === "string" ? this.url(request.path) : request.path;
    // How long it may take to send content depends on its size, see `pacedBody`.
    if (isUpload(request)) return await this.#attempt({ request, url, signal }, consume);
    const deadline = new Deadline(answerWithin(requestName(request.method, url), this.access.timeoutMs), signal);
    const leftMs = (): number => deadline.leftMs;
    try {
      return await this.#attempt({ request, url, signal: deadline.signal, leftMs }, async (response) => {
        // What follows the head of content is watched by its reader, see `Download`.
        if (request.traffic === "bulk") deadline.lift();
        return await consume(response);
      });
    } finally {
      deadline.lift();
    }
  }

  async #attempt<T>(
    { request, url, signal, leftMs }: Attempt,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const { fingerprint } = await this.#resolve(signal);
    const policy = request.retry === false ? { ...this.shared.retry, attempts: 1 } : this.shared.retry;
    const { gate } = this.shared.channel();
    const key = `${this.origin} ${url.host} ${fingerprint}`;
    return await withRetry({ policy, gate, key, signal, ...(leftMs && { leftMs }) }, async () => {
      const response = await this.#authorized(request, url, signal);
      if (request.accept.includes(response.status)) return await consume(response);
      throw await this.#refusal(response);
    });
  }

  /** The accepted response's body, whole. @throws RegistryResponseInvalid when it is larger than `maxBytes` */
  async fetchBytes(
    request: RegistryRequest,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<{ response: HttpResponse; body: Buffer }> {
    return await this.send(request, signal, async (response) => ({
      response,
      body: await readBody(response, maxBytes, "RegistryResponseInvalid"),
    }));
  }

  /** The same for a manifest or index. @throws ManifestTooLarge */
  async fetchManifestBytes(
    request: RegistryRequest,
    signal: AbortSignal,
  ): Promise<{ response: HttpResponse; body: Buffer }> {
    const { maxManifestBytes } = this.access.limits;
    return await this.send(request, signal, async (response) => ({
      response,
      body: await readBody(response, maxManifestBytes, "ManifestTooLarge"),
    }));
  }

  /** The accepted response, its body thrown away. */
  async ask(request: RegistryRequest, signal: AbortSignal): Promise<HttpResponse> {
    return await this.send(request, signal, async (response) => {
      await discard(response.body);
      return response;
    });
  }

  async #authorized(request: RegistryRequest, url: URL, signal: AbortSignal): Promise<HttpResponse> {
    const { authorizer } = this.shared.channel();
    // A registry may send uploads to another host; its credentials stay here.
    if (url.origin !== this.origin) return await this.#exchange(request, url, undefined, signal);
    const auth = await this.#authRequest(request, signal);
    const sent = await authorizer.preempt(auth);
    const response = await this.#exchange(request, url, sent, signal);
    if (response.status !== 401 || response.url.origin !== this.origin) return response;
    const header = response.header("www-authenticate");
    const renewed = sent === undefined ? auth : await this.#renewed(request, auth, signal);
    const answer = await authorizer.answer(renewed, header, renewed === auth ? sent : undefined);
    if (answer === undefined) return response;
    await discard(response.body);
    return await this.#exchange(request, url, answer, signal);
  }

  /** Asks the provider again after a refusal: a rotated secret or an expired cloud token shows as another fingerprint. */
  async #renewed(request: RegistryRequest, auth: AuthRequest, signal: AbortSignal): Promise<AuthRequest> {
    this.#credential = undefined;
    const renewed = await this.#authRequest(request, signal);
    return renewed.fingerprint === auth.fingerprint ? auth : renewed;
  }

  async #exchange(
    request: RegistryRequest,
    url: URL,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const { method, traffic = "metadata" } = request;
    const { timeoutMs } = this.access;
    const headers = { ...request.headers, ...(authorization !== undefined && { authorization }) };
    const body = this.#body(request, url);
    const exchanged = { method, url, headers, body, traffic, timeoutMs, signal };
    const response = await exchange(this.shared.channel(), this.shared.transport, exchanged);
    if (isUpload(request)) cutLate(response, timeoutMs);
    return response;
  }

  #body(request: RegistryRequest, url: URL): RegistryRequest["body"] {
    const { body, headers, method } = request;
    if (!body || !isUpload(request)) return body;
    const sending = { name: requestName(method, url), bytes: Number(headers?.["content-length"] ?? 0) };
    return () => {
      const content = body();
      return content instanceof Uint8Array ? content : pacedBody(content, this.shared.pace, sending);
    };
  }

  async #authRequest(request: RegistryRequest, signal: AbortSignal): Promise<AuthRequest> {
    const { repository } = this.target;
    const scopes = [`repository:${repository}:${actions[request.needs]}`];
    if (request.mountFrom !== undefined) scopes.push(`repository:${request.mountFrom}:pull`);
    const { insecure = false } = this.access;
    return {
      origin: this.origin,
      scopes,
      ...(await this.#resolve(signal)),
      insecure,
      signal,
      patienceMs: patienceFor(this.access.timeoutMs),
      // The token may be for others as well, so the signal of this work does not end it.
      ask: async (url, headers, form) =>
        await exchange(this.shared.channel(), this.shared.transport, {
          method: form === undefined ? "GET" : "POST",
          url,
          headers,
          body: form === undefined ? undefined : () => Buffer.from(form, "utf8"),
          secretBody: true,
          traffic: "metadata",
          timeoutMs: tokenTimeoutMs,
          signal: AbortSignal.timeout(tokenTimeoutMs),
        }),
    };
  }

  async #resolve(signal: AbortSignal): Promise<{ credential: Credential | undefined; fingerprint: string }> {
    this.#credential ??= (async () => {
      const credential = await this.access.credentials?.resolve(this.target, signal);
      return {
        credential,
        fingerprint: credential
          ? createHmac("sha256", fingerprintKey).update(JSON.stringify(credential)).digest("base64")
          : "",
      };
    })();
    try {
      return await this.#credential;
    } catch (error) {
      this.#credential = undefined;
      throw error;
    }
  }

  async #refusal(response: HttpResponse): Promise<Error> {
    const wait = retryAfterMs(response.header("retry-after"), response.header("date"));
    const credential = (await this.#credential)?.credential;
    const body = redact(await readStart(response.body, maxErrorBytes), credential);
    const name =
      response.status === 401
        ? `${response.name} ${credential ? "with the credentials given" : "without credentials"}`
        : response.name;
    return statusError(name, response.status, { body, retryAfterMs: wait });
  }
}

const isUpload = ({ traffic, body }: RegistryRequest): boolean => traffic === "bulk" && body !== undefined;

const answerWithin = (name: string, ms: number): TimeLimit => ({
  ms,
  late: () =>
    new CodedError(
      "RegistryTimeout",
      `${name}: no answer in ${seconds(ms)}; the registry hangs, or timeout is too short`,
    ),
});

/** The rest of an answer that does not come in time is cut off. */
function cutLate({ body }: HttpResponse, ms: number): void {
  const timer = setTimeout(() => body.destroy(), ms);
  body.once("close", () => clearTimeout(timer));
}

/** Removes our own secrets from what a registry says, should it repeat them. */
function redact(text: string, credential: Credential | undefined): string {
  if (!credential) return text;
  const secrets =
    credential.kind === "basic"
      ? [credential.password, Buffer.from(`${credential.username}:${credential.password}`, "utf8").toString("base64")]
      : [credential.token];
  return secrets.filter(Boolean).reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
}
