import { CodedError, codeOf } from "../errors.ts";
import type { NextStep, Resolver, TagLister } from "../oci/content.ts";
import { askedFor, defaultTag, type Version } from "../oci/reference.ts";
import type { Descriptor } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { nearTags, someTags } from "./near.ts";

const maxNear = 5;

/**
 * The manifest that a reference names. Where its tag is missing, the message says why it was that tag and, by one page of
 * the list, which tags are near.
 *
 * @throws NotFound with `details.near`; what the repository throws
 */
export async function resolveNamed(
  repository: Resolver & TagLister & { readonly name: string },
  { tag, digest }: Version,
  next: NextStep,
  signal: AbortSignal,
): Promise<Descriptor> {
  return await repository.resolve(askedFor({ tag, digest }), signal, next).catch(async (error: unknown) => {
    const isMissing = digest === undefined && error instanceof CodedError && codeOf(error) === "NotFound";
    throw isMissing ? await missingTag(error, repository, tag ?? defaultTag, signal) : error;
  });
}

interface Near {
  readonly near: readonly string[];
  readonly text: string;
}

/** A list that cannot be had leaves out what is near. */
async function missingTag(
  error: CodedError,
  repository: TagLister & { readonly name: string },
  tag: string,
  signal: AbortSignal,
): Promise<CodedError> {
  const why = tag === defaultTag ? `the tag ${defaultTag}, which is taken where none is named` : `the tag ${tag}`;
  const found = await nearIn(repository, tag, signal);
  if (found === "absent") return absent(error, repository.name);
  return new CodedError(
    "NotFound",
    `${repository.name} does not have ${why}${found === undefined ? "" : `; ${found.text}`} (${error.message})`,
    { cause: error, details: { ...error.details, ...(found && { near: found.near }) } },
  );
}

async function nearIn(repository: TagLister, tag: string, signal: AbortSignal): Promise<Near | "absent" | undefined> {
  try {
    for await (const page of repository.tags(signal)) {
      const near = nearTags(tag, page, maxNear);
      const shown = (near.length > 0 ? near : someTags(page, maxNear)).map((one) => printable(one, 128)).join(", ");
      if (shown === "") return undefined;
      return { near, text: near.length > 0 ? `near it are ${shown}` : `there are, among others, ${shown}` };
    }
  } catch (error) {
    signal.throwIfAborted();
    if (codeOf(error) === "NotFound") return "absent";
  }
  return undefined;
}

/** Neither the tag nor a list of tags. A layout that is not there says so itself. */
function absent(error: CodedError, name: string): CodedError {
  if (error.message.startsWith(name)) return error;
  return new CodedError(
    "NotFound",
    `there is no repository ${name}, or none that is shown to who asks (${error.message})`,
    {
      cause: error,
      ...(error.details && { details: error.details }),
    },
  );
}
