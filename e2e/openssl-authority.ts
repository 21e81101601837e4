import { execFile, execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import { readFile, writeFile } from "node:fs/promises";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestCertificate } from "../src/testing/signatures/certificates.ts";
import { listenOnLoopback } from "./loopback.ts";
import type { Workspace } from "./workspace.ts";

const run = promisify(execFile);

/** What a certificate is for, as openssl's configuration says it. */
const uses = {
  signer: "keyUsage = critical, digitalSignature\nextendedKeyUsage = codeSigning",
  responder: "keyUsage = critical, digitalSignature\nextendedKeyUsage = OCSPSigning\nnoCheck = ignored",
  timestamps: "keyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping",
};

interface IssueOptions {
  /** Where the authority says what was revoked; default: nowhere. */
  readonly ocsp?: string;
  readonly list?: string;
  readonly notAfter?: Date;
}

/** A certificate authority, timestamp authority and OCSP responder, all by the openssl command. */
export class OpensslAuthority {
  readonly dir: string;
  /** `http://127.0.0.1:<port>`: OCSP at /ocsp, the list of revoked certificates below /list/. */
  readonly url: string;

  private constructor(dir: string, url: string) {
    this.dir = dir;
    this.url = url;
  }

  static async start(workspace: Workspace): Promise<OpensslAuthority> {
    const dir = await workspace.directory("authority");
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        authority.#reply(request.url ?? "", Buffer.concat(chunks)).then(
          (body) => (body === undefined ? response.writeHead(404).end() : response.end(body)),
          (error: unknown) => response.writeHead(500).end(String(error)),
        );
      });
    });
    const authority = new OpensslAuthority(dir, `http://${await listenOnLoopback(workspace, server)}`);
    await authority.#make();
    return authority;
  }

  async #make(): Promise<void> {
    await Promise.all([
      writeFile(join(this.dir, "index.txt"), ""),
      writeFile(join(this.dir, "ca.cnf"), configuration(this.dir)),
      writeFile(join(this.dir, "tsa.serial"), "01"),
    ]);
    const root = [
      "-x509",
      "-days",
      "2",
      "-subj",
      "/C=US/ST=WA/O=Notary/CN=root",
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
    ];
    await this.#openssl(["req", ...newKey, ...root, "-keyout", "ca.key", "-out", "ca.crt"]);
    await this.issue("responder", "responder");
    await this.issue("timestamps", "timestamps");
  }

  /** A certificate with its key, as tests sign with it. */
  async issue(name: string, use: keyof typeof uses, options: IssueOptions = {}): Promise<TestCertificate> {
    const { ocsp, list, notAfter } = options;
    const extensions = [
      "basicConstraints = critical, CA:false",
      uses[use],
      ...(ocsp === undefined ? [] : [`authorityInfoAccess = OCSP;URI:${ocsp}`]),
      ...(list === undefined ? [] : [`crlDistributionPoints = URI:${list}`]),
    ];
    await writeFile(join(this.dir, `${name}.ext`), extensions.join("\n"));
    const subject = `/C=US/ST=WA/O=Notary/CN=${name}`;
    await this.#openssl(["req", ...newKey, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.csr`]);
    const valid = notAfter === undefined ? ["-days", "2"] : ["-enddate", asn1Time(notAfter)];
    const made = ["-in", `${name}.csr`, "-extfile", `${name}.ext`, "-out", `${name}.crt`, "-notext", ...valid];
    await this.#openssl(["ca", "-batch", "-config", "ca.cnf", ...made]);
    const [certificate, key] = await Promise.all(
      ["crt", "key"].map((kind) => readFile(join(this.dir, `${name}.${kind}`))),
    );
    return {
      certificate: new X509Certificate(certificate ?? ""),
      privateKey: createPrivateKey(key ?? ""),
      subject: { C: "US", ST: "WA", O: "Notary", CN: name },
    };
  }

  async root(): Promise<string> {
    return await readFile(join(this.dir, "ca.crt"), "utf8");
  }

  async revoke(name: string): Promise<void> {
    await this.#openssl(["ca", "-config", "ca.cnf", "-revoke", `${name}.crt`, "-crl_reason", "keyCompromise"]);
  }

  /** A timestamp token over `data`, as `notation sign --timestamp-url` has it made. */
  timestamp(data: Buffer): Buffer {
    writeFileSync(join(this.dir, "data"), data);
    const now = (args: readonly string[]): void =>
      void execFileSync("openssl", args, { cwd: this.dir, stdio: ["ignore", "ignore", "pipe"] });
    now(["ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query"]);
    now(["ts", "-reply", "-config", "ca.cnf", "-queryfile", "query", "-token_out", "-out", "token"]);
    return readFileSync(join(this.dir, "token"));
  }

  async #reply(path: string, body: Buffer): Promise<Buffer | undefined> {
    if (path.startsWith("/list/")) {
      await this.#openssl(["ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem"]);
      await this.#openssl(["crl", "-in", "list.pem", "-outform", "DER", "-out", "list"]);
      return await readFile(join(this.dir, "list"));
    }
    if (!path.startsWith("/ocsp")) return undefined;
    const request = body.length > 0 ? body : Buffer.from(decodeURIComponent(path.slice("/ocsp/".length)), "base64");
    await writeFile(join(this.dir, "request"), request);
    const responder = ["-index", "index.txt", "-CA", "ca.crt", "-rsigner", "responder.crt", "-rkey", "responder.key"];
    await this.#openssl(["ocsp", ...responder, "-reqin", "request", "-respout", "response", "-nmin", "5"]);
    return await readFile(join(this.dir, "response"));
  }

  async #openssl(args: readonly string[]): Promise<void> {
    await run("openssl", args, { cwd: this.dir });
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Two digits of the year, in UTC. */
const asn1Time = (time: Date): string => `${time.toISOString().slice(2, 19).replace(/[-:T]/g, "")}Z`;

const configuration = (dir: string): string => `
[ca]
default_ca = authority
[authority]
dir = ${dir}
database = $dir/index.txt
new_certs_dir = $dir
certificate = $dir/ca.crt
private_key = $dir/ca.key
rand_serial = yes
unique_subject = no
default_md = sha256
default_crl_days = 1
policy = any
[any]
countryName = optional
stateOrProvinceName = optional
organizationName = optional
commonName = supplied
[tsa]
default_tsa = timestamps
[timestamps]
serial = ${dir}/tsa.serial
signer_cert = ${dir}/timestamps.crt
signer_key = ${dir}/timestamps.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
`;
