import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { der, derInteger, derOid, derUtf8, sequence } from "../../testing/signatures/certificates.ts";
import { subjectName } from "./distinguished-name.ts";

const fixtures = join(import.meta.dirname, "../../testing/fixtures");

it.each(["notation.crt", "notation-timestamped.crt"])("reads the subject of %s as OpenSSL prints it", (name) => {
  const certificate = new X509Certificate(readFileSync(join(fixtures, name)));
  const printed = certificate.subject.split("\n").map((line) => line.split("=", 2));
  expect(printed.length).toBeGreaterThan(1);
  expect(Object.fromEntries(subjectName(certificate))).toEqual(Object.fromEntries(printed));
});

it("is done at once with a subject of a hundred thousand attributes", () => {
  const attribute = sequence(derOid("2.5.4.3"), derUtf8("a"));
  const set = der(0x31, ...Array<Buffer>(900).fill(attribute));
  const [none, bits] = [sequence(), der(0x03, Buffer.from([0]))];
  const subject = sequence(...Array<Buffer>(111).fill(set), der(0x31, sequence(derOid("2.5.4.10"), derUtf8("once"))));
  const signed = sequence(derInteger(1), none, none, none, subject, sequence(none, bits));
  const raw = sequence(signed, none, bits);
  const started = performance.now();
  expect([...subjectName({ raw } as X509Certificate)]).toEqual([["O", "once"]]);
  expect(performance.now() - started).toBeLessThan(5000);
});

it("leaves TLS as it is in a program that has not used it yet", () => {
  const script = `
    import { X509Certificate } from "node:crypto";
    import { readFileSync } from "node:fs";
    import { der, derInteger, derOid, derUtf8, sequence } from "../../testing/signatures/certificates.ts";
import { subjectName } from "./distinguished-name.ts";
    subjectName(new X509Certificate(readFileSync(process.argv[1])));
    console.log(typeof process.getBuiltinModule("tls").createSecureContext);`;
  const args = ["--input-type=module-typescript", "--eval", script, join(fixtures, "notation.crt")];
  const { stdout } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" });
  expect(stdout.trim()).toBe("function");
});
