import { LRUCache } from "lru-cache";
import { CodedError } from "../errors.ts";
import type { Credential } from "../credentials/provider.ts";
import { abortError } from "./errors.ts";
import { accessKey } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { SharedWork } from "../sharing/shared-work.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
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

type Known =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly challenge: BearerChallenge; readonly regular: boolean };

/**
 * Knows which registries want which kind of authorization, and keeps their tokens. What a registry wants is learnt from
 * its first 401, so that no request is spent on asking.
 */
export class Authorizer {
  readonly #known = new LRUCache<string, Known>({ max: 10_000 });
  /** The exact scopes a registry has asked for, by origin and the scopes we would have named. */
  readonly #scopes = new LRUCache<string, readonly string[]>({ max: 10_000 });
  /** By registry and credential: a token goes to no registry that did not ask for it. */
  readonly #tokens = new SharedCache<Token>({ max: 10_000 });
  readonly #fetching = new SharedWork<Token>(abortError);

  /** The `Authorization` to send along at once, or undefined where nothing is known yet. */
  async preempt(request: AuthRequest): Promise<string | undefined> {
    const known = this.#known.get(request.origin);
    if (!known) return undefined;
    if (known.scheme === "basic") return basicOf(request.credential);
    const scopes = this.#scopes.get(scopeKey(request)) ?? (known.regular ? request.scopes : undefined);
    if (!scopes) return undefined;
    try {
      return await this.#bearer(request, { ...known.challenge, scopes }, undefined);
    } catch (error) {
      // The scopes were a guess from another repository; the registry's own challenge decides.
      if (error instanceof CodedError && (error.code === "Unauthorized" || error.code === "Forbidden"))
        return undefined;
      throw error;
    }
  }

  /**
   * The `Authorization` that answers a 401, or undefined where there is none to try.
   *
   * @param rejected what the refused request had carried
   */
  async answer(
    request: AuthRequest,
    header: string | undefined,
    rejected: string | undefined,
  ): Promise<string | undefined> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    if (bearer) return await this.#answerBearer(request, bearer, rejected);
    if (!challenges.some((challenge) => challenge.scheme === "basic")) return undefined;
    this.#known.set(request.origin, { scheme: "basic" });
    const answer = basicOf(request.credential);
    return answer === rejected ? undefined : answer;
  }

  async #answerBearer(
    request: AuthRequest,
    found: Challenge,
    rejected: string | undefined,
  ): Promise<string | undefined> {
    const challenge = bearerChallenge(found, request.origin, request.insecure);
    const scopes = challenge.scopes.length > 0 ? withMissing(challenge.scopes, request.scopes) : request.scopes;
    this.#known.set(request.origin, {
      scheme: "bearer",
      challenge,
      regular: scopes.every((scope) => covers(request.scopes, scope)),
    });
    this.#scopes.set(scopeKey(request), scopes);
    const answer = await this.#bearer(request, { ...challenge, scopes }, rejected);
    return answer === rejected ? undefined : answer;
  }

  async #bearer(request: AuthRequest, challenge: BearerChallenge, rejected: string | undefined): Promise<string> {
    const { credential } = request;
    if (credential?.kind === "bearer") return `Bearer ${credential.token}`;
    const access = accessKey({ origin: request.origin, credential: request.fingerprint });
    const name = JSON.stringify([challenge.realm.href, challenge.service, [...challenge.scopes].sort()]);
    const cached = this.#tokens.get(access, name);
    if (cached && `Bearer ${cached.value}` !== rejected && performance.now() < cached.renewAt)
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

const scopeKey = ({ origin, scopes }: AuthRequest): string => `${origin} ${scopes.join(" ")}`;

const basicOf = (credential: Credential | undefined): string | undefined =>
  credential?.kind === "basic" ? basicHeader(credential) : undefined;

/** Adds what a challenge leaves out: registries name the repository written to, not always the one mounted from. */
function withMissing(challenged: readonly string[], wanted: readonly string[]): readonly string[] {
  const named = new Set(challenged.map(repositoryOf));
  return [...challenged, ...wanted.slice(1).filter((scope) => !named.has(repositoryOf(scope)))];
}

const repositoryOf = (scope: string): string => scope.slice(0, scope.lastIndexOf(":"));

/** Whether `scope` asks for no more than one of `scopes`, whatever the order of its actions. */
function covers(scopes: readonly string[], scope: string): boolean {
  const own = scopes.find((candidate) => repositoryOf(candidate) === repositoryOf(scope));
  const actions = own?.slice(repositoryOf(own).length + 1).split(",") ?? [];
  return scope
    .slice(repositoryOf(scope).length + 1)
    .split(",")
    .every((action) => actions.includes(action));
}
