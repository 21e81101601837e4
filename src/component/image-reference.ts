import { CodedError, messageOf } from "../errors.ts";
import { parseReference, type RegistryReference } from "../oci/reference.ts";
import { printable } from "../text/printable.ts";

/**
 * The reference in a resource's access, as Docker writes them: without a host it is Docker Hub's.
 * @param what the resource, for messages
 * @throws ComponentInvalid
 */
export function parseImageReference(text: string, what: string): RegistryReference {
  const bare = text.replace(/^(?:oci|https):\/\//, "");
  const [first = "", ...rest] = bare.split("/");
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const full = hasHost ? bare : `docker.io/${rest.length > 0 ? "" : "library/"}${bare}`;
  return parse(full, text, what);
}

/** The reference of another repository of `registry`. @throws ComponentInvalid */
export function parseRelativeReference(registry: string, text: string, what: string): RegistryReference {
  return parse(`${registry}/${text.replace(/^\/+/, "")}`, text, what);
}

function parse(full: string, text: string, what: string): RegistryReference {
  try {
    const reference = parseReference(full);
    if (reference.kind === "registry" && !full.includes("://")) return reference;
  } catch (cause) {
    throw new CodedError("ComponentInvalid", `${what} refers to ${printable(text)}: ${messageOf(cause)}`, { cause });
  }
  throw new CodedError("ComponentInvalid", `${what} refers to ${printable(text)}, which is not an image reference`);
}
