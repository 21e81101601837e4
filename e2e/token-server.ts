import { randomUUID, sign, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { listenOnLoopback } from "./loopback.ts";
import type { Workspace } from "./workspace.ts";

/** An authorisation service as the distribution project's token specification describes it. */
export interface TokenServer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** Every token brings it along, and is signed with its key: distribution 2 and 3 both take that. */
  readonly certificate: Certificate;
  /** One entry for each token asked for; the newest last. */
  readonly grants: readonly TokenGrant[];
  /** How long the tokens made from now on are valid. */
  setLifetime(seconds: number): void;
}

export interface TokenGrant {
  readonly scope: string | undefined;
  readonly granted: boolean;
}

/** Grants whatever is asked for to the one account, and nothing to others. */
export async function startTokenServer(
  workspace: Workspace,
  account: { readonly username: string; readonly password: string },
): Promise<TokenServer> {
  const certificate = await makeCertificate(workspace, "tokens");
  const issue: Issue = {
    certificate,
    service: "e2e-registry",
    issuer: "e2e-issuer",
    subject: account.username,
    lifetime: 300,
  };
  const grants: TokenGrant[] = [];
  const expected = `Basic ${Buffer.from(`${account.username}:${account.password}`).toString("base64")}`;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://token");
    const granted = url.pathname === "/token" && request.headers.authorization === expected;
    grants.push({ scope: url.searchParams.get("scope") ?? undefined, granted });
    const answer = granted
      ? { token: makeToken(issue, url.searchParams.getAll("scope")), expires_in: issue.lifetime }
      : { errors: [{ code: "UNAUTHORIZED", message: "who are you" }] };
    response.writeHead(granted ? 200 : 401, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  const host = await listenOnLoopback(workspace, server);
  return {
    service: issue.service,
    issuer: issue.issuer,
    realm: `http://${host}/token`,
    certificate,
    grants,
    setLifetime: (seconds) => {
      issue.lifetime = seconds;
    },
  };
}

interface Issue {
  readonly certificate: Certificate;
  readonly service: string;
  readonly issuer: string;
  readonly subject: string;
  lifetime: number;
}

function makeToken(issue: Issue, scopes: readonly string[]): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issue.issuer,
    aud: issue.service,
    sub: issue.subject,
    iat: now,
    nbf: now - 5,
    exp: now + issue.lifetime,
    jti: randomUUID(),
    access: accessOf(scopes),
  };
  const { cert, key } = issue.certificate;
  const signed = [{ alg: "ES256", typ: "JWT", x5c: [new X509Certificate(cert).raw.toString("base64")] }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

/** `repository:team/app:pull,push` */
function accessOf(scopes: readonly string[]): unknown[] {
  return scopes
    .flatMap((scope) => scope.split(" "))
    .map((scope) => {
      const [type, ...rest] = scope.split(":");
      return { type, name: rest.slice(0, -1).join(":"), actions: (rest.at(-1) ?? "").split(",") };
    });
}
