import { CodedError, messageOf } from "../../errors.ts";
import { isObject, type Json, parseJsonObject } from "../../text/json.ts";
import { type DistinguishedName, isPartOf, parseDistinguishedName } from "./distinguished-name.ts";

const checks = ["integrity", "authenticity", "authenticTimestamp", "expiry", "revocation"] as const;
export type Check = (typeof checks)[number];
export type Action = "enforce" | "log" | "skip";
export type StoreType = "ca" | "signingAuthority" | "tsa";

export interface TrustStatement {
  readonly name: string;
  /** Repositories, `registry.example/team/app`, or `*` alone. */
  readonly registryScopes: readonly string[];
  /** Undefined: verification is skipped. */
  readonly actions: Readonly<Record<Check, Action>> | undefined;
  readonly stores: readonly StoreType[];
  /** Undefined: any subject (`*`). */
  readonly identities: readonly DistinguishedName[] | undefined;
  readonly timestampAlways: boolean;
}

/** notation trust policy (trust-store-trust-policy.md), version 1.0, validated. */
export type TrustPolicyDocument = readonly TrustStatement[];

type Fail = (problem: string) => CodedError;

/** The specification's levels; `skip` checks nothing. */
const levels: Readonly<Record<string, Readonly<Record<Check, Action>> | undefined>> = {
  strict: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "enforce",
    expiry: "enforce",
    revocation: "enforce",
  },
  permissive: {
    integrity: "enforce",
    authenticity: "enforce",
    authenticTimestamp: "log",
    expiry: "log",
    revocation: "log",
  },
  audit: { integrity: "enforce", authenticity: "log", authenticTimestamp: "log", expiry: "log", revocation: "log" },
  skip: undefined,
};
const storeTypes = new Set(["ca", "signingAuthority", "tsa"]);

/**
 * @param place for messages, such as `Secret apps/notation, key trustpolicy.json`
 * @throws SecretInvalid for what the specification does not allow
 */
export function parseTrustPolicy(bytes: Uint8Array, place: string): TrustPolicyDocument {
  const fail: Fail = (problem) => new CodedError("SecretInvalid", `${place}: ${problem}`);
  const document = readObject(bytes, fail);
  if (document["version"] !== "1.0") throw fail(`has version ${show(document["version"])}; write "1.0"`);
  const list = document["trustPolicies"];
  if (!Array.isArray(list) || list.length === 0) throw fail("has no trustPolicies");
  const statements = list.map((item, at) => parseStatement(item, (problem) => fail(`trustPolicies[${at}] ${problem}`)));
  assertUnique(
    statements.map(({ name }) => name),
    (name) => fail(`has two statements named "${name}"`),
  );
  assertUnique(
    statements.flatMap(({ registryScopes }) => registryScopes),
    (scope) => fail(`has the registry scope ${scope} in two statements`),
  );
  return statements;
}

function readObject(bytes: Uint8Array, fail: Fail): Json {
  try {
    return parseJsonObject(bytes);
  } catch (cause) {
    throw fail(messageOf(cause));
  }
}

/**
 * The statement for a repository: the one that names it, else the one for `*`.
 * @throws VerificationFailed where none applies
 */
export function statementFor(document: TrustPolicyDocument, repository: string): TrustStatement {
  const found =
    document.find(({ registryScopes }) => registryScopes.includes(repository)) ??
    document.find(({ registryScopes }) => registryScopes.includes("*"));
  if (found !== undefined) return found;
  throw new CodedError(
    "VerificationFailed",
    `the trust policy has no statement for ${repository}; add it to the registryScopes of one, or write a statement for "*"`,
  );
}

function parseStatement(item: unknown, fail: Fail): TrustStatement {
  if (!isObject(item)) throw fail("is not an object");
  const name = item["name"];
  if (typeof name !== "string" || name === "") throw fail("has no name");
  const failHere: Fail = (problem) => fail(`("${name}") ${problem}`);
  const verification = item["signatureVerification"];
  if (!isObject(verification)) throw failHere("has no signatureVerification");
  const actions = parseActions(verification, failHere);
  const timestamp = verification["verifyTimestamp"];
  if (timestamp !== undefined && timestamp !== "always" && timestamp !== "afterCertExpiry")
    throw failHere(`has verifyTimestamp ${show(timestamp)}; write always or afterCertExpiry`);
  return {
    name,
    registryScopes: parseScopes(item["registryScopes"], failHere),
    actions,
    ...(actions === undefined
      ? { stores: [], identities: [] }
      : {
          stores: parseStores(item["trustStores"], failHere),
          identities: parseIdentities(item["trustedIdentities"], failHere),
        }),
    timestampAlways: timestamp !== "afterCertExpiry",
  };
}

function parseActions(verification: Json, fail: Fail): TrustStatement["actions"] {
  const level = verification["level"];
  if (typeof level !== "string" || !Object.hasOwn(levels, level))
    throw fail(`has the level ${show(level)}; write ${Object.keys(levels).join(", ")}`);
  const base = levels[level];
  const override = verification["override"];
  if (override === undefined || override === null || (isObject(override) && Object.keys(override).length === 0))
    return base;
  if (!isObject(override)) throw fail("has an override that is not a map");
  if (base === undefined) throw fail("has the level skip, which cannot be overridden");
  return { ...base, ...parseOverride(override, fail) };
}

function parseOverride(override: Json, fail: Fail): Partial<Record<Check, Action>> {
  for (const [check, action] of Object.entries(override)) {
    if (!(checks as readonly string[]).includes(check))
      throw fail(`overrides ${show(check)}; the checks are ${checks.join(", ")}`);
    if (action !== "enforce" && action !== "log" && action !== "skip")
      throw fail(`overrides ${check} with ${show(action)}; write enforce, log or skip`);
    if (check === "integrity") throw fail("overrides integrity, which is always enforced");
    if (action === "skip" && check !== "revocation") throw fail(`skips ${check}; only revocation can be skipped`);
  }
  return override;
}

function parseScopes(value: unknown, fail: Fail): readonly string[] {
  const scopes = texts(value);
  if (scopes === undefined || scopes.length === 0) throw fail("has no registryScopes");
  if (scopes.length > 1 && scopes.includes("*")) throw fail('has "*" beside other registryScopes');
  const odd = scopes.find((scope) => scope !== "*" && !/^[^*/\s]+\/[^*\s]+$/.test(scope));
  if (odd !== undefined)
    throw fail(`has the registry scope ${show(odd)}; write registry.example/team/app, or "*" alone`);
  return scopes;
}

/** Which kinds of store a statement uses; their names mean nothing here, as in Flux: all certificates of the Secret are in each. */
function parseStores(value: unknown, fail: Fail): readonly StoreType[] {
  const stores = texts(value);
  if (stores === undefined || stores.length === 0) throw fail("has no trustStores; write for example ca:certs");
  return stores.map((store) => {
    const [type = "", name] = store.split(":", 2);
    if (!storeTypes.has(type) || name === undefined || !/^[a-zA-Z0-9_.-]+$/.test(name))
      throw fail(`has the trust store ${show(store)}; write ca:NAME, signingAuthority:NAME or tsa:NAME`);
    return type as StoreType;
  });
}

function parseIdentities(value: unknown, fail: Fail): readonly DistinguishedName[] | undefined {
  const identities = texts(value);
  if (identities === undefined || identities.length === 0)
    throw fail('has no trustedIdentities; write "x509.subject: C=…, ST=…, O=…", or "*"');
  if (identities.includes("*")) {
    if (identities.length > 1) throw fail('has "*" beside other trustedIdentities');
    return undefined;
  }
  const names = identities.map((identity) => {
    const [, subject] = /^\s*x509\.subject\s*:\s*(.+)$/.exec(identity) ?? [];
    const name =
      subject === undefined ? "is not of the form x509.subject: C=…, ST=…, O=…" : parseDistinguishedName(subject);
    if (typeof name === "string") throw fail(`has the trusted identity ${show(identity)}, which ${name}`);
    return name;
  });
  if (names.some((name, at) => names.some((other, beside) => at !== beside && isPartOf(name, other))))
    throw fail("has trustedIdentities of which one includes another");
  return names;
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

function assertUnique(values: readonly string[], error: (value: string) => CodedError): void {
  const twice = values.find((value, at) => values.indexOf(value) !== at);
  if (twice !== undefined) throw error(twice);
}

const show = (value: unknown): string => JSON.stringify(value)?.slice(0, 120) ?? "nothing";
