import { CodedError } from "../errors.ts";
import type { Credential } from "../credentials/provider.ts";
import { readStart } from "../http/failures.ts";
import { retryAfterMs } from "../http/retry-after.ts";
import { printable } from "../text/printable.ts";
import { discard, readBody } from "./body.ts";
import type { Challenge } from "./challenge.ts";
import { registryErrors, statusError } from "./errors.ts";
import { redact } from "./redact.ts";
import { notServed } from "./refusals.ts";
import { maxRetryAfterMs } from "./retry.ts";
import type { Headers, HttpResponse } from "./http-message.ts";
import { type Json, parseJsonObject } from "../text/json.ts";

/** A `Bearer` challenge, checked. */
export interface BearerChallenge {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
}

export interface Token {
  readonly value: string;
  /** By performance.now, which no change of the time of day moves: a tenth of its life, at most 30 s, before it expires. */
  readonly renewAt: number;
}

interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
}

/** Sends a request to the token endpoint; the body, where there is one, is a form. */
export type AskEndpoint = (url: URL, headers: Headers, form: string | undefined) => Promise<HttpResponse>;

/** What the specification says to assume where `expires_in` is missing. */
const defaultLifetimeSeconds = 60;
const maxTokenResponseBytes = 65_536;

/**
 * Reads a Bearer challenge. @throws RegistryResponseInvalid without a usable realm; EndpointRefused for a realm over
 * plain HTTP that nobody has allowed
 */
export function bearerChallenge({ params }: Challenge, registry: string, insecure: boolean): BearerChallenge {
  const text = params["realm"] ?? "";
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (!realm || (realm.protocol !== "https:" && realm.protocol !== "http:")) {
    throw new CodedError(
      "RegistryResponseInvalid",
      `${registry} asks for a token but names no URL to get it from: realm="${printable(text, 100)}"`,
    );
  }
  if (realm.protocol === "http:" && !insecure) {
    throw new CodedError(
      "EndpointRefused",
      `${registry} names a token endpoint over plain HTTP, ${realm.origin}; credentials are sent there over https alone, unless insecure is set`,
    );
  }
  return { realm, service: params["service"], scopes: (params["scope"] ?? "").split(/\s+/).filter(Boolean) };
}

/**
 * Gets a token (distribution "Token Authentication Specification"; OAuth2 for identity tokens, and for passwords where the
 * endpoint does not take GET).
 *
 * @throws Unauthorized, Forbidden, RateLimited, RegistryUnavailable, RegistryResponseInvalid, …
 */
export async function fetchToken(request: TokenRequest, ask: AskEndpoint): Promise<Token> {
  const { credential } = request;
  if (credential?.kind === "identityToken")
    return await readToken(
      await post(request, { grant_type: "refresh_token", refresh_token: credential.token }, ask),
      credential,
    );
  const answer = await get(request, ask);
  if (credential?.kind !== "basic" || !notServed.includes(answer.status)) return await readToken(answer, credential);
  await discard(answer.body);
  const { username, password } = credential;
  return await readToken(await post(request, { grant_type: "password", username, password }, ask), credential);
}

async function get({ realm, service, scopes, credential }: TokenRequest, ask: AskEndpoint): Promise<HttpResponse> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  return await ask(url, credential?.kind === "basic" ? { authorization: basicHeader(credential) } : {}, undefined);
}

async function post(
  { realm, service, scopes }: TokenRequest,
  grant: Record<string, string>,
  ask: AskEndpoint,
): Promise<HttpResponse> {
  const form = new URLSearchParams({
    ...grant,
    client_id: "strata",
    scope: scopes.join(" "),
    ...(service !== undefined && { service }),
  });
  return await ask(realm, { "content-type": "application/x-www-form-urlencoded" }, form.toString());
}

/** The value of `Authorization` (RFC 7617). It is a credential. */
export function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}

async function readToken(response: HttpResponse, credential: Credential | undefined): Promise<Token> {
  const receivedAt = performance.now();
  if (response.status !== 200) throw await tokenError(response, credential);
  const body = await readBody(response, maxTokenResponseBytes, "RegistryResponseInvalid");
  const { token, access_token, expires_in } = parse(body) ?? {};
  const value = [token, access_token].find((candidate) => typeof candidate === "string" && candidate !== "");
  // A line break in a token would add a header of the endpoint's choice to every request.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new CodedError("RegistryResponseInvalid", `${response.name}: the answer holds no token`);
  }
  const lifetimeMs = (typeof expires_in === "number" && expires_in > 0 ? expires_in : defaultLifetimeSeconds) * 1000;
  return { value, renewAt: receivedAt + lifetimeMs - Math.min(30_000, lifetimeMs / 10) };
}

function parse(body: Buffer): Json | undefined {
  try {
    return parseJsonObject(body);
  } catch {
    return undefined;
  }
}

/** In the endpoint's own words, without the password it was sent. */
async function tokenError(response: HttpResponse, credential: Credential | undefined): Promise<CodedError> {
  const { status } = response;
  const wait = retryAfterMs(response.header("retry-after"), response.header("date"), maxRetryAfterMs);
  const body = redact(await readStart(response.body, 8192), credential);
  if (status !== 400 && status !== 401 && status !== 403)
    return statusError(response.name, status, { body, retryAfterMs: wait });
  const { text } = registryErrors(body);
  const what = credential === undefined ? "gives nothing without credentials" : "refuses the credentials";
  return new CodedError(
    status === 403 ? "Forbidden" : "Unauthorized",
    `${response.name}: the token endpoint ${what}: ${status}${text === "" ? "" : ` ${text}`}`,
    { details: { status } },
  );
}
