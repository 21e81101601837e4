import { LRUCache } from "lru-cache";
import { CodedError } from "../errors.ts";
import type { Credential } from "../credentials/provider.ts";
import { discard } from "./body.ts";
import { givenUp } from "./errors.ts";
import { accessKey } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { SharedWork } from "../sharing/shared-work.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { covers, isEqual, repositoryOf, union } from "./token-scopes.ts";
import {
  type AskEndpoint,
  basicHeader,
  type BearerChallenge,
  bearerChallenge,
  fetchToken,
  type Token,
} from "./token.ts";

/** Who asks, and for what. */
export interface AuthRequest {
  /** `https://registry.example` */
  readonly origin: string;
  /** The scopes that the request needs by the specification: `repository:team/app:pull`. */
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  /** Tells credentials apart without showing them. */
  readonly fingerprint: string;
  /** Whether a token endpoint over plain HTTP is acceptable. */
  readonly insecure: boolean;
  readonly ask: AskEndpoint;
  /** Longest wait for a token that another asks for, in ms. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** What one request has come up with so far, and what became of it. */
export interface Tried {
  /** Values of `Authorization` that were refused; none is sent again. */
  readonly values: string[];
  /** Scopes that a new token was asked for: another one for the same would fare no better. */
  readonly scopes: Set<string>;
  /** The token endpoint's refusal to the first guess. */
  refusal?: { readonly challenge: string; readonly error: unknown };
}

/** The beginning of a request. */
export const nothingTried = (): Tried => ({ values: [], scopes: new Set() });

type Known =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly challenge: BearerChallenge; readonly regular: boolean };

/** How long a registry counts as open that asked for nothing at `/v2/`. */
const openForMs = 300_000;
/** The work goes on without an answer of `/v2/` then. */
const versionWaitMs = 5000;
/** So long a repository waits at most for a token endpoint that another one has named; then it asks for its own challenge. */
const guessWaitMs = 1000;

/**
 * Knows which registries want which kind of authorization, and keeps their tokens. What a registry wants is learnt from
 * its first 401, so that no request is spent on asking; from `/v2/` where a refusal asks for nothing, since registries that
 * serve anybody hide from strangers what is private, behind a 404 or a 403. What one repository asks for is only a guess for the
 * others of the registry: it saves them a request where it is right, and costs them a second, once, where it leads nowhere.
 */
export class Authorizer {
  /** By origin and repository: what it has asked for itself. */
  readonly #known = new LRUCache<string, Known>({ max: 10_000 });
  /** By origin: what the registry asks for at `/v2/`. */
  readonly #registries = new LRUCache<string, Known>({ max: 10_000 });
  /** By origin: what one of its repositories has asked for. */
  readonly #guesses = new LRUCache<string, Known>({ max: 10_000 });
  /** Who, at which origin, was asked for nothing at `/v2/`. */
  readonly #open = new LRUCache<string, true>({ max: 10_000, ttl: openForMs });
  readonly #asking = new SharedWork<void>(givenUp);
  /** The exact scopes a registry has asked for, by origin and the scopes we would have named. */
  readonly #scopes = new LRUCache<string, readonly string[]>({ max: 10_000 });
  /** By registry and credential: a token goes to no registry that did not ask for it. */
  readonly #tokens = new SharedCache<Token>({ max: 10_000 });
  readonly #fetching = new SharedWork<Token>(givenUp);

  /** The `Authorization` to send along at once, or undefined where the registry asks for none, as far as is known. */
  async preempt(request: AuthRequest, tried: Tried): Promise<string | undefined> {
    const own = this.#own(request);
    const known = own ?? this.#guesses.get(request.origin);
    if (!known) return undefined;
    if (known.scheme === "basic") return basicOf(request.credential);
    const scopes = this.#scopes.get(scopeKey(request)) ?? (known.regular ? request.scopes : undefined);
    if (!scopes) return undefined;
    const challenge = { ...known.challenge, scopes };
    if (own === undefined) return await this.#guess(known, request, challenge, tried);
    try {
      return await this.#bearer(request, challenge, tried);
    } catch (error) {
      if (!isRefused(error)) throw error;
      // The registry's own challenge decides.
      tried.refusal = { challenge: nameOf(challenge), error };
      return undefined;
    }
  }

  /** A token from an endpoint that another repository has named. Whatever goes wrong there is none of this one's business. */
  async #guess(
    guess: Known,
    request: AuthRequest,
    challenge: BearerChallenge,
    tried: Tried,
  ): Promise<string | undefined> {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(guessWaitMs)]);
    try {
      return await this.#bearer({ ...request, signal }, challenge, tried);
    } catch (error) {
      if (request.signal.aborted) throw error;
      if (isRefused(error)) tried.refusal = { challenge: nameOf(challenge), error };
      else if (this.#guesses.get(request.origin) === guess) this.#guesses.delete(request.origin);
      return undefined;
    }
  }

  #own(request: AuthRequest): Known | undefined {
    return this.#known.get(repositoryKey(request)) ?? this.#registries.get(request.origin);
  }

  #remember(request: AuthRequest, known: Known): void {
    this.#known.set(repositoryKey(request), known);
    this.#guesses.set(request.origin, known);
  }

  /**
   * The `Authorization` that answers a refusal, or undefined where there is none to try.
   *
   * @param header `WWW-Authenticate` of the refusal; registries leave it out, or name Basic for a token that is too narrow
   */
  async answer(request: AuthRequest, header: string | undefined, tried: Tried): Promise<string | undefined> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer) return await this.#answerBearer(request, bearer, tried);
    if (challenges.some(({ scheme }) => scheme === "basic")) {
      const token = tried.values.length > 0 ? await this.#another(request, tried) : undefined;
      return token ?? this.#answerBasic(request, tried);
    }
    const known = this.#own(request) ?? (await this.#learn(request));
    return known?.scheme === "basic" ? this.#answerBasic(request, tried) : await this.#another(request, tried);
  }

  #answerBasic(request: AuthRequest, tried: Tried): string | undefined {
    this.#remember(request, { scheme: "basic" });
    const answer = basicOf(request.credential);
    return answer === undefined || tried.values.includes(answer) ? undefined : answer;
  }

  /** A token as the registry has asked for one before; undefined where it never has. */
  async #another(request: AuthRequest, tried: Tried): Promise<string | undefined> {
    const known = this.#own(request);
    if (known?.scheme !== "bearer") return undefined;
    const scopes = union(this.#scopes.get(scopeKey(request)) ?? [], request.scopes);
    return await this.#fresh(request, { ...known.challenge, scopes }, tried);
  }

  /** Asks `/v2/`, which every registry has. What goes wrong there leaves everything as it is. */
  async #learn(request: AuthRequest): Promise<Known | undefined> {
    const { origin, fingerprint, patienceMs } = request;
    const caller = `${origin} ${fingerprint}`;
    if (this.#open.has(caller)) return undefined;
    const access = accessKey({ origin, credential: fingerprint });
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(versionWaitMs)]);
    const asking = async (): Promise<void> => {
      const known = await askVersion(request);
      if (known === "open") this.#open.set(caller, true);
      else if (known) this.#registries.set(origin, known);
    };
    try {
      await this.#asking.run(access, "/v2/", asking, { patienceMs, signal });
    } catch (error) {
      if (request.signal.aborted) throw error;
    }
    return this.#registries.get(origin);
  }

  async #answerBearer(request: AuthRequest, found: Challenge, tried: Tried): Promise<string | undefined> {
    const challenge = bearerChallenge(found, request.origin, request.insecure);
    this.#remember(request, {
      scheme: "bearer",
      challenge,
      regular: challenge.scopes.every((scope) => covers(request.scopes, scope)),
    });
    const scopes = union(challenge.scopes, request.scopes);
    try {
      return await this.#fresh(request, { ...challenge, scopes }, tried);
    } catch (error) {
      // There are token endpoints that refuse a scope whole for one action that they do not know.
      if (!isRefused(error) || challenge.scopes.length === 0 || isEqual(scopes, challenge.scopes)) throw error;
      return await this.#fresh(request, challenge, tried);
    }
  }

  /** A token that was not refused yet, once for the same scopes. */
  async #fresh(request: AuthRequest, challenge: BearerChallenge, tried: Tried): Promise<string | undefined> {
    const scopes = challenge.scopes.join(" ");
    if (tried.refusal?.challenge === nameOf(challenge)) throw tried.refusal.error;
    if (tried.scopes.has(scopes)) return undefined;
    tried.scopes.add(scopes);
    const token = await this.#bearer(request, challenge, tried);
    this.#scopes.set(scopeKey(request), challenge.scopes);
    return tried.values.includes(token) ? undefined : token;
  }

  async #bearer(request: AuthRequest, challenge: BearerChallenge, tried: Tried): Promise<string> {
    const { credential } = request;
    if (credential?.kind === "bearer") return `Bearer ${credential.token}`;
    const access = accessKey({ origin: request.origin, credential: request.fingerprint });
    const name = nameOf(challenge);
    const cached = this.#tokens.get(access, name);
    if (cached && !tried.values.includes(`Bearer ${cached.value}`) && performance.now() < cached.renewAt)
      return `Bearer ${cached.value}`;
    this.#tokens.delete(access, name);
    const fetching = async (): Promise<Token> => {
      const token = await fetchToken({ ...challenge, credential }, request.ask);
      this.#tokens.set(access, name, token);
      return token;
    };
    const { value } = await this.#fetching.run(access, name, fetching, request);
    return `Bearer ${value}`;
  }
}

/**
 * What a registry wants of strangers at `/v2/`. One that lets them in there, and still hides from them what is private
 * (Artifactory and zot with anonymous access), is shown the password once, at `/v2/` alone: what it answers then is its
 * challenge, or that it takes Basic. `open`: it wants nothing, or refuses that; undefined: it cannot tell now.
 */
async function askVersion(request: AuthRequest): Promise<Known | "open" | undefined> {
  const stranger = await challengeAtVersion(request, {});
  const basic = basicOf(request.credential);
  if (stranger !== "welcome" || basic === undefined) return stranger === "welcome" ? "open" : stranger;
  const known = await challengeAtVersion(request, { authorization: basic });
  return known === "welcome" ? { scheme: "basic" } : known;
}

/** `welcome`: a 2xx; `open`: a refusal that asks for nothing. */
async function challengeAtVersion(
  { origin, insecure, ask }: AuthRequest,
  headers: Readonly<Record<string, string>>,
): Promise<Known | "welcome" | "open" | undefined> {
  const response = await ask(new URL(`${origin}/v2/`), headers, undefined);
  await discard(response.body);
  const { status } = response;
  if (status >= 500) return undefined;
  // Whoever was led elsewhere has not been answered by the registry.
  if (response.url.origin !== origin) return "open";
  if (status >= 200 && status < 300) return "welcome";
  const challenges = status === 401 ? parseChallenges(response.header("www-authenticate")) : [];
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer) return { scheme: "bearer", challenge: bearerChallenge(bearer, origin, insecure), regular: true };
  return challenges.some(({ scheme }) => scheme === "basic") ? { scheme: "basic" } : "open";
}

const isRefused = (error: unknown): boolean =>
  error instanceof CodedError && (error.code === "Unauthorized" || error.code === "Forbidden");

/** Equal for challenges that one token answers. */
const nameOf = ({ realm, service, scopes }: BearerChallenge): string =>
  JSON.stringify([realm.href, service, [...scopes].sort()]);

const repositoryKey = ({ origin, scopes: [own = ""] }: AuthRequest): string => `${origin} ${repositoryOf(own)}`;

const scopeKey = ({ origin, scopes }: AuthRequest): string => `${origin} ${scopes.join(" ")}`;

const basicOf = (credential: Credential | undefined): string | undefined =>
  credential?.kind === "basic" ? basicHeader(credential) : undefined;
