import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CodedError, hasErrno } from "../errors.ts";
import {
  canonicalHost,
  type DockerConfig,
  explainAuths,
  findAuth,
  findCredential,
  parseDockerConfig,
} from "./docker-config.ts";
import { askHelper } from "./docker-helper.ts";
import type { Credential, CredentialProvider } from "./provider.ts";

export interface DockerCliOptions {
  /** The directory of config.json: DOCKER_CONFIG or ~/.docker. */
  readonly configDir: string;
  /** PATH, for `docker-credential-*`. */
  readonly path: string;
  /** How long a credential helper may take; it may have to ask the person at the keyboard. */
  readonly helperTimeoutMs: number;
}

/**
 * The credentials of `docker login`: config.json and the credential helpers it names, in Docker's order: `credHelpers` of
 * the host, `credsStore`, `auths`. No config.json means anonymous access.
 *
 * Errors: SecretInvalid, SecretNotFound (the helper is not installed), Aborted.
 */
export function dockerCliProvider(options: DockerCliOptions): CredentialProvider {
  return {
    resolve: async (target, signal) => {
      const config = await readConfig(options.configDir);
      return (
        config && ((await fromHelper(config, target.registry, options, signal)) ?? findCredential(config.auths, target))
      );
    },
    explain: async (target, signal) => {
      const config = await readConfig(options.configDir);
      const login = `"docker login ${target.registry}" makes an entry`;
      if (config === undefined || config.auths.length + config.credHelpers.size === 0)
        return config?.credsStore === undefined
          ? `no credentials were shown: ${join(options.configDir, "config.json")} holds none; ${login}`
          : `the credentials shown are those of the helper docker-credential-${config.credsStore}, if it has any`;
      if ((await fromHelper(config, target.registry, options, signal)) !== undefined)
        return `the credentials shown are those of the helper docker-credential-${helperOf(config, target.registry)}`;
      const found = explainAuths(config.auths, target);
      return findCredential(config.auths, target) === undefined ? `${found}; ${login}` : found;
    },
    knows: async (target, signal) => {
      const config = await readConfig(options.configDir);
      if (config === undefined) return false;
      if (findAuth(config.auths, target) !== undefined) return true;
      return (await fromHelper(config, target.registry, options, signal)) !== undefined;
    },
  };
}

async function readConfig(dir: string): Promise<DockerConfig | undefined> {
  const file = join(dir, "config.json");
  try {
    return parseDockerConfig(await readFile(file), file);
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    if (hasErrno(cause, "ENOENT", "ENOTDIR")) return undefined;
    const { code = "unknown error" } = cause as NodeJS.ErrnoException;
    throw new CodedError("SecretInvalid", `${file} cannot be read: ${code}`, { cause });
  }
}

async function fromHelper(
  config: DockerConfig,
  registry: string,
  options: DockerCliOptions,
  signal: AbortSignal,
): Promise<Credential | undefined> {
  const host = canonicalHost(registry);
  const helper = helperOf(config, registry);
  if (helper === undefined) return undefined;
  // Docker keeps the Hub's credentials under the URL of its former API.
  const server = host === "docker.io" ? "https://index.docker.io/v1/" : registry;
  const program = await findHelper(helper, options.path);
  return await askHelper({ program, server, timeoutMs: options.helperTimeoutMs }, signal);
}

const helperOf = ({ credHelpers, credsStore }: DockerConfig, registry: string): string | undefined =>
  credHelpers.get(canonicalHost(registry)) ?? credsStore;

async function findHelper(name: string, path: string): Promise<string> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(name)) {
    throw new CodedError(
      "SecretInvalid",
      `Docker's config.json names the credential helper "${name.slice(0, 100)}", which is not the name of a program`,
    );
  }
  const candidates = path
    .split(delimiter)
    .filter(Boolean)
    .flatMap((dir) => [join(dir, `docker-credential-${name}`), join(dir, `docker-credential-${name}.exe`)]);
  for (const file of candidates) {
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  throw new CodedError(
    "SecretNotFound",
    `Docker's config.json names the credential helper docker-credential-${name}, which is not on PATH; install it, or remove it from credsStore or credHelpers`,
  );
}
