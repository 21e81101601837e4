import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { TestSigstore } from "../src/testing/signatures/sigstore.ts";
import { serveSigstore } from "../src/testing/signatures/sigstore-server.ts";
import { TestTufRepository } from "../src/testing/signatures/tuf-repository.ts";
import { findBinary } from "./binaries.ts";
import type { Workspace } from "./workspace.ts";

const run = promisify(execFile);

export interface SignOptions {
  /** When its timestamp authority says that it was signed; default: now. */
  readonly at?: Date;
  /** Default: with an entry of Rekor v2; false: with a timestamp alone. */
  readonly isLogged?: boolean;
}

/** A Sigstore with Rekor v2 that the real cosign signs with, and a TUF repository of its trusted root. */
export interface PrivateSigstore {
  readonly subject: string;
  readonly issuer: string;
  /** Trusted roots: with the log and the timestamp authority, and without the log. */
  readonly roots: { readonly logged: string; readonly unlogged: string };
  /** Flags of the controller and of `strata`, by which this is the public Sigstore. */
  readonly tufFlags: readonly string[];
  readonly mirrorRequests: readonly string[];
  sign(reference: string, options?: SignOptions): Promise<void>;
}

export async function startPrivateSigstore(workspace: Workspace): Promise<PrivateSigstore> {
  const dir = join(workspace.dir, "sigstore");
  await mkdir(dir);
  const [subject, issuer] = ["https://ci.test/app/release", "https://token.actions.test"];
  const sigstore = new TestSigstore();
  let now = new Date();
  const server = await serveSigstore(sigstore, { now: () => now, subject });
  const repository = new TestTufRepository();
  repository.publish({ trustedRoot: sigstore.newerRoot() });
  const mirror = await repository.serve();
  workspace.onEnd(async () => await Promise.all([server.close(), mirror.close()]));
  const files = {
    "root.json": repository.anchor,
    token: identityToken(issuer),
    "logged.json": server.signingConfig(),
    "unlogged.json": server.signingConfig({ isLogged: false }),
    "logged-root.json": sigstore.newerRoot(),
    "unlogged-root.json": sigstore.rootWithoutLog(),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  const cosign = async (...args: readonly string[]): Promise<void> => {
    const env = { PATH: process.env["PATH"], HOME: dir };
    await run(await findBinary("cosign"), args, { cwd: dir, env, timeout: 60_000 });
  };
  return {
    subject,
    issuer,
    roots: { logged: sigstore.newerRoot(), unlogged: sigstore.rootWithoutLog() },
    tufFlags: [`--sigstore-tuf-mirror=${mirror.url}`, `--sigstore-tuf-root=${join(dir, "root.json")}`],
    mirrorRequests: mirror.requests,
    sign: async (reference, { at = new Date(), isLogged = true } = {}) => {
      now = at;
      const name = isLogged ? "logged" : "unlogged";
      const services = ["--signing-config", `${name}.json`, "--trusted-root", `${name}-root.json`];
      await cosign("sign", "--yes", ...services, "--identity-token", "token", reference);
    },
  };
}

/** What a CI system hands to a job; the certificate authority of tests believes it all. */
function identityToken(iss: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iss, sub: "ci", aud: "sigstore", iat: 1, exp: 4e9, email: "ci@ci.test", email_verified: true };
  return `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}.${Buffer.from("x").toString("base64url")}`;
}
