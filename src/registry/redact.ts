import type { Credential } from "../credentials/provider.ts";

/** Removes our own secrets from what a registry says, should it repeat them. */
export function redact(text: string, credential: Credential | undefined): string {
  return secretsOf(credential)
    .filter(Boolean)
    .reduce((clean, secret) => clean.replaceAll(secret, "***"), text);
}

function secretsOf(credential: Credential | undefined): string[] {
  if (!credential) return [];
  if (credential.kind !== "basic") return [credential.token, encodeURIComponent(credential.token)];
  const { username, password } = credential;
  const pair = Buffer.from(`${username}:${password}`, "utf8").toString("base64");
  return [pair, password, encodeURIComponent(password), Buffer.from(password, "utf8").toString("base64")];
}
