import { randomUUID } from "node:crypto";
import type { Reply, Request } from "./reply.ts";
import { errorReply, json } from "./reply.ts";

export type Action = "pull" | "push" | "delete";

export interface Account {
  readonly password: string;
  /** What the account may do; default: everything. */
  readonly allows?: (repository: string, action: Action) => boolean;
}

/** How a registry knows who asks. */
export interface AuthOptions {
  readonly kind: "basic" | "token";
  readonly accounts: Readonly<Record<string, Account>>;
  /** What may be done without credentials; default: nothing. */
  readonly anonymous?: (repository: string, action: Action) => boolean;
  /** token: identity tokens, and the account each stands for. */
  readonly identityTokens?: Readonly<Record<string, string>>;
  /** token: how long tokens live; default 300. */
  readonly ttlSeconds?: number;
  /** token: `expires_in` as the token endpoint states it; undefined leaves it out. */
  readonly statedTtlSeconds?: number | undefined;
  /** token: URL of the token endpoint; default: `/token` on this server. */
  readonly realm?: string;
  /** token: issued tokens; share one map between a registry and a token server elsewhere. */
  readonly issued?: Map<string, IssuedToken>;
  /** token: name of the token in the token endpoint's answer. */
  readonly field?: "token" | "access_token";
}

export interface IssuedToken {
  readonly account: string | undefined;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
}

const service = "test-registry";

/** Checks credentials of requests, and issues tokens. */
export class Auth {
  readonly #options: AuthOptions;
  readonly issued: Map<string, IssuedToken>;

  constructor(options: AuthOptions) {
    this.#options = options;
    this.issued = options.issued ?? new Map<string, IssuedToken>();
  }

  /** A refusal, or undefined where the request may go on. */
  check(request: Request, needs: readonly { repository: string; action: Action }[]): Reply | undefined {
    return this.#options.kind === "basic" ? this.#checkBasic(request, needs) : this.#checkToken(request, needs);
  }

  #checkBasic(request: Request, needs: readonly { repository: string; action: Action }[]): Reply | undefined {
    const account = this.#basicAccount(request.headers.authorization);
    if (needs.every(({ repository, action }) => this.#allows(account, repository, action))) return undefined;
    if (account !== undefined) return errorReply(403, "DENIED", "requested access to the resource is denied");
    return challenge('Basic realm="test, registry"');
  }

  #checkToken(request: Request, needs: readonly { repository: string; action: Action }[]): Reply | undefined {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const issued = token === undefined ? undefined : this.issued.get(token);
    const valid = issued && issued.expiresAt > Date.now();
    if (valid && needs.every(({ repository, action }) => issued.scopes.includes(`${repository}:${action}`)))
      return undefined;
    const error = token === undefined ? "" : `,error="${valid ? "insufficient_scope" : "invalid_token"}"`;
    const realm = this.#options.realm ?? `${request.origin}/token`;
    return challenge(`Bearer realm="${realm}",service="${service}"${scopeParam(needs)}${error}`);
  }

  /** `/v2/`: who may do anything at all. */
  checkVersion(request: Request): Reply | undefined {
    if (this.#options.kind === "token") {
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
      return this.issued.has(token ?? "") ? undefined : this.#checkToken({ ...request, headers: {} }, []);
    }
    const account = this.#basicAccount(request.headers.authorization);
    return account === undefined ? challenge('Basic realm="test, registry"') : undefined;
  }

  /** The token endpoint: GET with Basic credentials, or POST with a grant. */
  async token(request: Request): Promise<Reply> {
    const form =
      request.method === "POST" ? new URLSearchParams((await request.read()).bytes.toString("utf8")) : undefined;
    const account = form ? this.#grantedAccount(form) : this.#basicAccount(request.headers.authorization);
    const sentCredentials = form !== undefined || request.headers.authorization !== undefined;
    if (sentCredentials && account === undefined) return errorReply(401, "UNAUTHORIZED", "wrong credentials");
    const params = form ?? request.url.searchParams;
    if (params.get("service") !== service) return errorReply(400, "UNSUPPORTED", "wrong service");
    const scopes = params.getAll("scope").flatMap((value) => this.#grant(account, value));
    return this.#issue(account, scopes);
  }

  #issue(account: string | undefined, scopes: readonly string[]): Reply {
    const { ttlSeconds = 300, field = "token" } = this.#options;
    const token = `token-${randomUUID()}`;
    this.issued.set(token, { account, scopes, expiresAt: Date.now() + ttlSeconds * 1000 });
    const stated = "statedTtlSeconds" in this.#options ? this.#options.statedTtlSeconds : ttlSeconds;
    return json(200, { [field]: token, ...(stated !== undefined && { expires_in: stated }) });
  }

  #grantedAccount(form: URLSearchParams): string | undefined {
    if (form.get("grant_type") === "refresh_token")
      return this.#options.identityTokens?.[form.get("refresh_token") ?? ""];
    if (form.get("grant_type") !== "password") return undefined;
    return this.#login(form.get("username") ?? "", form.get("password") ?? "");
  }

  #grant(account: string | undefined, scopes: string): string[] {
    return scopes.split(" ").flatMap((scope) => {
      const match = /^repository:(.+):([a-z,*]+)$/.exec(scope);
      if (!match) return [];
      const repository = match[1] ?? "";
      const actions = (match[2] ?? "").split(",") as Action[];
      return actions
        .filter((action) => this.#allows(account, repository, action))
        .map((action) => `${repository}:${action}`);
    });
  }

  #basicAccount(header: string | undefined): string | undefined {
    const encoded = /^Basic (.+)$/.exec(header ?? "")?.[1];
    if (encoded === undefined) return undefined;
    const [user = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
    return this.#login(user, rest.join(":"));
  }

  #login(user: string, password: string): string | undefined {
    return this.#options.accounts[user]?.password === password ? user : undefined;
  }

  #allows(account: string | undefined, repository: string, action: Action): boolean {
    if (account === undefined) return this.#options.anonymous?.(repository, action) ?? false;
    return this.#options.accounts[account]?.allows?.(repository, action) ?? true;
  }
}

function scopeParam(needs: readonly { repository: string; action: Action }[]): string {
  const scopes = [...Map.groupBy(needs, (need) => need.repository)].map(
    ([name, list]) => `repository:${name}:${list.map(({ action }) => action).join(",")}`,
  );
  return scopes.length === 0 ? "" : `,scope="${scopes.join(" ")}"`;
}

function challenge(value: string): Reply {
  const refusal = errorReply(401, "UNAUTHORIZED", "authentication required");
  return { ...refusal, headers: { ...refusal.headers, "www-authenticate": value } };
}
