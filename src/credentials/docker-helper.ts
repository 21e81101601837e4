import { spawn } from "node:child_process";
import { basename } from "node:path";
import { CodedError, messageOf } from "../errors.ts";
import type { Credential } from "./provider.ts";
import { type Json, parseJsonObject } from "../text/json.ts";

interface HelperRequest {
  /** Absolute path of `docker-credential-*`. */
  readonly program: string;
  /** The key the credentials are kept under. */
  readonly server: string;
  readonly timeoutMs: number;
}

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
}

const maxOutputBytes = 65_536;
/** What helpers answer where they hold nothing for a server (docker-credential-helpers, credentials/error.go). */
const notFound = "credentials not found";

/**
 * Asks a credential helper (docker-credential-helpers, "Development": `get`, the server on stdin, JSON on stdout). The
 * program is started without a shell, and what it writes is bounded.
 *
 * @returns undefined where the helper holds nothing for the server
 * @throws SecretInvalid, Aborted
 */
export async function askHelper(request: HelperRequest, signal: AbortSignal): Promise<Credential | undefined> {
  const name = basename(request.program);
  const { exitCode, stdout } = await run(request, name, signal);
  if (exitCode === 0) return parse(stdout, name, request.server);
  if (stdout.toLowerCase().includes(notFound)) return undefined;
  // Only its first line, and only where it cannot be the JSON with the secret.
  const said = /^[^{\n]{1,200}/.exec(stdout.trim())?.[0] ?? "";
  throw new CodedError(
    "SecretInvalid",
    `${name} failed for ${request.server} (exit ${exitCode ?? "by signal"})${said === "" ? "" : `: ${said}`}`,
  );
}

async function run({ program, server, timeoutMs }: HelperRequest, name: string, signal: AbortSignal): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], shell: false });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxOutputBytes) chunks.push(chunk);
    else reject(new CodedError("SecretInvalid", `${name} wrote more than ${maxOutputBytes} bytes for ${server}`));
  });
  child.on("error", (cause) =>
    reject(new CodedError("SecretInvalid", `${name} cannot be started: ${cause.message}`, { cause })),
  );
  child.on("close", (exitCode) => resolve({ exitCode, stdout: Buffer.concat(chunks).toString("utf8") }));
  // A helper that does not read its input must not end this program with EPIPE.
  child.stdin.on("error", () => undefined).end(server);
  const deadline = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, deadline]);
  const stop = (): void =>
    reject(
      signal.aborted
        ? new CodedError("Aborted", `${name} was aborted`)
        : new CodedError("SecretInvalid", `${name} gave no answer for ${server} within ${timeoutMs} ms`),
    );
  either.addEventListener("abort", stop, { once: true });
  if (either.aborted) stop();
  try {
    return await promise;
  } finally {
    either.removeEventListener("abort", stop);
    // Also where it has ended already: what it started may still hold the pipe.
    child.stdout.destroy();
    child.kill("SIGKILL");
  }
}

function parse(stdout: string, name: string, server: string): Credential | undefined {
  let answer: Json;
  try {
    answer = parseJsonObject(stdout);
  } catch (error) {
    throw new CodedError("SecretInvalid", `${name}: the answer for ${server} ${messageOf(error)}`);
  }
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== "string" || typeof secret !== "string")
    throw new CodedError("SecretInvalid", `${name}: the answer for ${server} has no Username and Secret`);
  if (username === "" && secret === "") return undefined;
  return username === "<token>"
    ? { kind: "identityToken", token: secret }
    : { kind: "basic", username, password: secret };
}
