import { CodedError, type ErrorCode, messageOf } from "../errors.ts";
import { abortError } from "../http/abort.ts";
import { causeCode, statusOf, isUntrusted, rootCause } from "../http/failures.ts";
import { oneLine, printable } from "../text/printable.ts";
import { parseJson } from "../text/json.ts";

/** What a failed request is called in messages: `GET https://registry.example/v2/app/manifests/v1`, without the query. */
export function requestName(method: string, url: URL): string {
  return `${method} ${url.origin}${url.pathname}`;
}

const byStatus: Readonly<Record<number, ErrorCode>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "RegistryUnsupported",
  408: "RegistryUnavailable",
  425: "RegistryUnavailable",
  499: "RegistryUnavailable",
  429: "RateLimited",
  501: "RegistryUnsupported",
};

/** Error codes of the distribution-spec that say more than the status they come with. */
const byRegistryCode: Readonly<Record<string, ErrorCode>> = {
  TOOMANYREQUESTS: "RateLimited",
  UNSUPPORTED: "RegistryUnsupported",
  DIGEST_INVALID: "DigestMismatch",
};

/** The error for a response that is not what was asked for; `body` are its first bytes, `who` a clause about who asked. */
export function statusError(
  name: string,
  status: number,
  response: { body: string; retryAfterMs: number | undefined; who?: string },
): CodedError {
  const { codes, text } = registryErrors(response.body);
  const special = codes.map((code) => byRegistryCode[code]).find((code) => code !== undefined);
  const code = special ?? byStatus[status] ?? (status >= 500 ? "RegistryUnavailable" : "RegistryResponseInvalid");
  const message = `${name}: ${status}${text ? ` ${text}` : ""}${response.who ?? ""}`;
  return new CodedError(code, message, {
    details: { status, registryCodes: codes },
    ...(response.retryAfterMs !== undefined && { retryAfterMs: response.retryAfterMs }),
  });
}

/** Where registries and token endpoints that have no `errors` say in words what is wrong. */
const wordKeys = ["error", "error_description", "message", "details", "detail"] as const;

/** distribution-spec, "Error Codes": `{"errors": [{"code", "message"}]}`; or plain text. Web pages are left out. */
export function registryErrors(body: string): { codes: string[]; text: string } {
  let parsed: unknown;
  try {
    parsed = parseJson(body);
  } catch {
    return { codes: [], text: body.trimStart().startsWith("<") ? "" : printable(oneLine(body)) };
  }
  const answer = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Record<string, unknown>;
  const list = answer["errors"];
  const rows = (Array.isArray(list) ? list : []).slice(0, 3) as ({ code?: unknown; message?: unknown } | null)[];
  const codes = rows.flatMap((row) => (typeof row?.code === "string" ? [printable(row.code, 40)] : []));
  const texts = rows.flatMap(
    (row) => [row?.code, row?.message].filter((part) => typeof part === "string").join(": ") || [],
  );
  const words = wordKeys.map((key) => answer[key]).filter((word) => typeof word === "string" && word !== "");
  return { codes, text: printable(oneLine((texts.length > 0 ? texts : words).join("; ")), 300) };
}

/** The error for a request that got no response, or only part of one. */
export function networkError(name: string, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const root = rootCause(error);
  if (root instanceof CodedError) return root;
  const code = networkCode(root);
  return new CodedError(code, `${name}: ${tlsProblem(causeCode(root)) ?? printable(oneLine(messageOf(root)), 300)}`, {
    cause: root,
  });
}

/** What to do in a spec about a connection that fails; the command line says the same of its flags. */
export const connectionAdvice = {
  untrusted: "ca.crt of the certificate secret adds one",
  notTls: "insecure allows plain HTTP",
} as const;

/** What OpenSSL's commonest complaints mean, and what to do about them. */
function tlsProblem(code: string): string | undefined {
  if (isUntrusted(code)) {
    return `its certificate is signed by an authority that is not trusted; ${connectionAdvice.untrusted}`;
  }
  if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER")
    return `the server does not speak TLS; ${connectionAdvice.notTls}`;
  return code === "CERT_HAS_EXPIRED" ? "its certificate has expired" : undefined;
}

const isParserError = (error: unknown): boolean => error instanceof Error && error.name === "HTTPParserError";

function networkCode(error: unknown): ErrorCode {
  const code = causeCode(error);
  // undici's own RequestAbortedError has a code, and comes from a proxy that has refused the tunnel.
  if (error instanceof Error && error.name === "AbortError" && code === "") return "Aborted";
  if (/^UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT$|^ETIMEDOUT$/.test(code)) return "RegistryTimeout";
  if (error instanceof Error && error.name === "TimeoutError") return "RegistryTimeout";
  if (/^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|EPROTO|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH)/.test(code))
    return "TlsFailed";
  if (code === "UND_ERR_HEADERS_OVERFLOW" || isParserError(error)) return "RegistryResponseInvalid";
  return "RegistryUnreachable";
}

/** A name that does not exist, and a proxy that refuses (407 and others), stay so longer than anybody wants to wait here. */
const lasting = new Set(["ENOTFOUND", "UND_ERR_ABORTED", "UND_ERR_INVALID_ARG"]);

/**
 * Statuses that are about the moment: of servers that are overloaded or starting, and of the proxies in front of them
 * (nginx's 499, Cloudflare's 52x). 501 and 505 are about the request.
 */
export function isPassing(status: number): boolean {
  return [408, 425, 429, 499].includes(status) || (status >= 500 && status !== 501 && status !== 505);
}

/** Whether the same request may well succeed in a moment. */
export function isTransient(error: unknown): error is CodedError {
  if (!(error instanceof CodedError)) return false;
  if (error.code === "RegistryTimeout" || error.code === "RateLimited") return true;
  if (error.code === "RegistryUnavailable") return isPassing(statusOf(error));
  // A body after a HEAD, which some servers send, spoils the next response on that connection.
  if (isParserError(error.cause)) return true;
  return error.code === "RegistryUnreachable" && !lasting.has(causeCode(error.cause));
}

/** The error for work that `signal` has ended; RegistryTimeout where its time was over. */
export function givenUp(signal: AbortSignal): CodedError {
  return abortError(signal, {
    what: "the request",
    late: { code: "RegistryTimeout", message: "the registry did not answer in the time allowed" },
  });
}
