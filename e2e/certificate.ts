import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Workspace } from "./workspace.ts";

/** A self-signed certificate for 127.0.0.1 and localhost, which is also its own authority. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
  /** Where set, clients must show a certificate of this authority. */
  readonly clientCaFile?: string;
}

const run = promisify(execFile);

/** Made with the openssl command: node:crypto reads certificates but makes none. */
export async function makeCertificate(workspace: Workspace, name: string): Promise<Certificate> {
  const dir = await workspace.directory("certificates");
  const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  await run("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-addext",
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
    "-addext",
    "extendedKeyUsage=serverAuth,clientAuth",
    "-keyout",
    keyFile,
    "-out",
    certFile,
  ]);
  return { certFile, keyFile, cert: await readFile(certFile, "utf8"), key: await readFile(keyFile, "utf8") };
}
