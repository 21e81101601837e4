import { codeOf } from "../errors.ts";
import { statusOf } from "../http/failures.ts";
import { discard } from "../registry/body.ts";
import { type Challenge, parseChallenges } from "../registry/challenge.ts";
import type { Session } from "../registry/session.ts";
import type { HttpResponse } from "../registry/http-message.ts";
import { exchange } from "../registry/transport.ts";
import { printable } from "../text/printable.ts";
import { answer, type Answer, failure } from "./check.ts";
import { fetchRoot } from "./manifest.ts";

/** What `/v2/` asks of who shows nothing. */
export async function askAuth(session: Session, signal: AbortSignal): Promise<Answer> {
  const response = await askVersion(session, signal);
  const { status } = response;
  const challenges = status === 401 ? parseChallenges(response.header("www-authenticate")) : [];
  const bearer = challenges.find(({ scheme }) => scheme === "bearer");
  if (bearer) return answer("ok", `Bearer, ${serviceOf(bearer)}`, "asks there for a token with what the work needs");
  if (challenges.some(({ scheme }) => scheme === "basic"))
    return answer("ok", "Basic", "sends the user name and password with each request, to this host alone");
  if (status === 401)
    return answer("limited", "401 without a challenge that is known", "shows no credentials; challenges decide");
  if (status === 200)
    return answer("ok", "nothing is asked for at /v2/", "shows credentials where a single request is challenged");
  return answer("limited", `${status} at /v2/`, "goes by the challenge of each request");
}

async function askVersion({ origin, shared, access }: Session, signal: AbortSignal): Promise<HttpResponse> {
  const response = await exchange(shared.channel(), shared.transport, {
    method: "GET",
    url: new URL(`${origin}/v2/`),
    headers: {},
    traffic: "metadata",
    timeoutMs: access.timeoutMs,
    signal: AbortSignal.any([signal, AbortSignal.timeout(access.timeoutMs)]),
  });
  await discard(response.body);
  return response;
}

function serviceOf({ params }: Challenge): string {
  const realm = params["realm"] ?? "";
  const host = URL.canParse(realm) ? new URL(realm).host : "a realm that is not a URL";
  const service = params["service"];
  return `tokens from ${printable(host, 100)}${service === undefined ? "" : ` for "${printable(service, 100)}"`}`;
}

/** Whether strangers may read `reference`. */
export async function askAnonymous(stranger: Session, reference: string, signal: AbortSignal): Promise<Answer> {
  try {
    await fetchRoot(stranger, reference, signal);
  } catch (error) {
    const status = statusOf(error);
    if (signal.aborted || status < 400 || status >= 500 || codeOf(error) === "RateLimited") throw error;
    return {
      ...failure(error),
      outcome: "limited",
      found: "refused to strangers",
      strata: "needs credentials: docker login here, a Secret in the cluster",
    };
  }
  return answer("ok", "anybody may read", "works without credentials");
}
