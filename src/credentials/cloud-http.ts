import { CodedError, messageOf } from "../errors.ts";
import { parseJsonObject } from "../text/json.ts";

const maxResponseBytes = 256 * 1024;

export interface CloudHttpRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a form by POST; without it the request is a GET. */
  readonly form?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * One small request to a cloud's token service. Redirects are not followed, since the body is a token.
 *
 * @throws CloudAuthFailed with the service's name and status, never with its answer, which may hold what it was sent
 */
export async function askCloud({ url, headers = {}, form, signal }: CloudHttpRequest): Promise<string> {
  const { host, pathname } = new URL(url);
  const name = `${host}${pathname}`;
  try {
    const response = await fetch(url, {
      ...(form ? { method: "POST", body: new URLSearchParams(form) } : {}),
      headers,
      redirect: "error",
      signal,
    });
    const text = await readText(response, name);
    if (response.ok) return text;
    throw new CodedError("CloudAuthFailed", `${name} answers ${response.status}${errorCodeOf(text)}`);
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    throw new CodedError(
      "CloudAuthFailed",
      `${name} cannot be reached: ${signal.aborted ? "no answer in time" : reasonOf(cause)}`,
      { cause },
    );
  }
}

/** fetch says only that it failed; why is the cause of that. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);
}

async function readText(response: Response, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    if (size > maxResponseBytes)
      throw new CodedError("CloudAuthFailed", `${name} answers with more than ${maxResponseBytes} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The word that names the error in JSON or XML, such as `invalid_grant` or `ExpiredTokenException`. */
function errorCodeOf(text: string): string {
  const found = /"(?:error|code)"\s*:\s*"(\w{1,60})"|<Code>(\w{1,60})<\/Code>/.exec(text);
  return found === null ? "" : ` (${found[1] ?? found[2]})`;
}

/** @throws CloudAuthFailed */
export function parseAnswer(text: string, name: string): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(text);
  } catch (error) {
    throw new CodedError("CloudAuthFailed", `${name}: the answer ${messageOf(error)}`);
  }
}

/** @throws InvalidSpec */
export function foreignRegistry(provider: string, registry: string, expected: string): CodedError {
  return new CodedError(
    "InvalidSpec",
    `provider ${provider} is for ${expected}, but the registry is ${registry}; write the provider of that registry, or generic with secretRef`,
  );
}

/** @throws InvalidSpec where an annotation is missing or malformed */
export function annotationOf(
  account: {
    readonly namespace: string;
    readonly name: string;
    readonly annotations: Readonly<Record<string, string>>;
  },
  key: string,
  pattern: RegExp,
): string {
  const value = account.annotations[key] ?? "";
  if (pattern.test(value)) return value;
  const found = value === "" ? "has no annotation" : `has "${value.slice(0, 200)}" as annotation`;
  throw new CodedError(
    "InvalidSpec",
    `ServiceAccount ${account.namespace}/${account.name} ${found} ${key}; it has to match ${pattern.source}`,
  );
}
