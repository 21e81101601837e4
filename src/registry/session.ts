import { createHmac, randomBytes } from "node:crypto";
import type { Credential, CredentialProvider, CredentialTarget } from "../credentials/provider.ts";
import { CodedError } from "../errors.ts";
import { Deadline } from "../http/deadline.ts";
import { readStart } from "../http/failures.ts";
import { retryAfterMs } from "../http/retry-after.ts";
import type { Limits } from "../oci/limits.ts";
import { patienceFor } from "../sharing/shared-work.ts";
import { type AuthRequest, nothingTried } from "./auth.ts";
import { discard, readBody } from "./body.ts";
import type { Channel, Material } from "./channel.ts";
import { requestName, statusError } from "./errors.ts";
import type { PaceLimits } from "./pace.ts";
import { redact } from "./redact.ts";
import { answerWithin, bodyOf, cutLate, isAnswer, isUpload, type RegistryRequest } from "./request.ts";
import { maxRetryAfterMs, type RetryPolicy, withRetry } from "./retry.ts";
import type { HttpResponse } from "./http-message.ts";
import { exchange, type TransportOptions } from "./transport.ts";

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

/** One request with its retries. */
interface Attempt {
  readonly request: RegistryRequest;
  readonly url: URL;
  readonly signal: AbortSignal;
  readonly leftMs?: () => number;
}

const maxErrorBytes = 8192;
/** How long a token may take. Each of those who wait for it waits no longer than its own `timeout` says. */
const tokenTimeoutMs = 30_000;
/** A token with the scopes that were asked for, one for what the work needs, and a password. */
const maxAnswers = 3;
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
      if (isAnswer(request.accept, response.status)) return await consume(response);
      throw await this.#refusal(response, signal);
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
    // A registry may send uploads to another host; its credentials stay here.
    if (url.origin !== this.origin) return await this.#exchange(request, url, undefined, signal);
    let auth = await this.#authRequest(request, signal);
    const tried = nothingTried();
    let sent = await this.#asNamed(this.shared.channel().authorizer.preempt(auth, tried), signal);
    for (;;) {
      const response = await this.#exchange(request, url, sent, signal);
      if (tried.values.length >= maxAnswers || !this.#mayBeAnswered(response, sent, auth)) return response;
      if (sent !== undefined) {
        tried.values.push(sent);
        auth = await this.#renewed(request, auth, signal);
      }
      const header = response.header("www-authenticate");
      const answer = this.shared.channel().authorizer.answer(auth, header, tried);
      sent = await this.#asNamed(answer, signal).catch((error: unknown) => {
        response.body.destroy();
        throw error;
      });
      if (sent === undefined) return response;
      await discard(response.body);
    }
  }

  /** A registry that serves strangers too answers them 404, or 403, where something is private. */
  #mayBeAnswered(response: HttpResponse, sent: string | undefined, { credential }: AuthRequest): boolean {
    const { status } = response;
    if (response.url.origin !== this.origin) return false;
    if (status === 401) return true;
    if (status === 403 && response.header("www-authenticate") !== undefined) return true;
    return sent === undefined && credential !== undefined && (status === 403 || status === 404);
  }

  /** Asks the provider again after a refusal: a rotated secret or an expired cloud token shows as another fingerprint. */
  async #renewed(request: RegistryRequest, auth: AuthRequest, signal: AbortSignal): Promise<AuthRequest> {
    this.#credential = undefined;
    const renewed = await this.#authRequest(request, signal);
    return renewed.fingerprint === auth.fingerprint ? auth : renewed;
  }

  /** A token endpoint's refusal, with where the credentials came from. */
  async #asNamed<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof CodedError) || (error.code !== "Unauthorized" && error.code !== "Forbidden")) throw error;
      const { code, message, details, retryAfterMs, cause } = error;
      throw new CodedError(code, `${message}${await this.#whoAsked(signal)}`, {
        cause,
        ...(details && { details }),
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      });
    }
  }

  /** A clause for messages: whose credentials were shown, or why none were. */
  async #whoAsked(signal: AbortSignal): Promise<string> {
    const found = await this.access.credentials?.explain?.(this.target, signal).catch(() => undefined);
    return found === undefined ? "" : `; ${found}`;
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
    const body = bodyOf(request, url, this.shared.pace);
    const exchanged = { method, url, headers, body, traffic, timeoutMs, signal, ledBy: this.#leader(url) };
    const response = await exchange(this.shared.channel(), this.shared.transport, exchanged);
    if (isUpload(request)) cutLate(response, timeoutMs);
    return response;
  }

  #leader(url: URL): string | undefined {
    return url.origin === this.origin ? undefined : this.target.registry;
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
          ledBy: this.#leader(url),
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

  async #refusal(response: HttpResponse, signal: AbortSignal): Promise<Error> {
    const { status } = response;
    const wait = retryAfterMs(response.header("retry-after"), response.header("date"), maxRetryAfterMs);
    const credential = (await this.#credential)?.credential;
    const body = redact(await readStart(response.body, maxErrorBytes), credential);
    const isAnonymous = credential === undefined;
    const name =
      status === 401
        ? `${response.name} ${isAnonymous ? "without credentials" : "with the credentials given"}`
        : response.name;
    // To strangers, what is private may look as if it did not exist.
    const isAccess = status === 401 || status === 403 || (status === 404 && isAnonymous);
    const who = isAccess && response.url.origin === this.origin ? await this.#whoAsked(signal) : "";
    return statusError(name, status, { body, retryAfterMs: wait, who });
  }
}
