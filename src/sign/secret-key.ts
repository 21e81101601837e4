import { CodedError } from "../errors.ts";
import { accessKey } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { parseSigningKey, type SigningKey } from "./signing-key.ts";

/** As `cosign generate-key-pair k8s://NAMESPACE/NAME` names them. */
const [keyName, passwordName] = ["cosign.key", "cosign.password"];
const maxKeys = 64;

/** Opens the private keys of Secrets. Opening an encrypted one takes a tenth of a second, so it is done once for each content. */
export class SigningKeys {
  readonly #opened = new SharedCache<SigningKey>({ max: maxKeys });

  /**
   * @param values of a Secret
   * @param secret its name, for messages
   * @throws SecretInvalid
   */
  async of(values: ReadonlyMap<string, Buffer>, secret: string): Promise<SigningKey> {
    const pem = values.get(keyName)?.toString("utf8");
    const password = values.get(passwordName)?.toString("utf8");
    const where = `Secret ${secret}:`;
    if (!pem)
      throw new CodedError(
        "SecretInvalid",
        `${where} ${keyName} is missing; store the private key under it, and its password as ${passwordName} where it is encrypted`,
      );
    // Whoever has the content of the Secret has the key.
    const access = accessKey({ pem, password });
    const known = this.#opened.get(access, keyName);
    if (known !== undefined) return known;
    const key = await parseSigningKey(pem, password, { where, name: keyName, password: passwordName });
    this.#opened.set(access, keyName, key);
    return key;
  }
}
