import { UPSTREAM_DIGEST_ANNOTATION, UPSTREAM_URL_ANNOTATION } from "../../api/v1beta1/constants.ts";
import { codeOf } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { isDigest } from "../oci/digest.ts";
import { resolveRoot, type Resolved } from "./resolve.ts";
import { tagOfRevision, type Artifact } from "../store/store.ts";
import type { TagRule } from "../tags/rule.ts";

/** Versions that are looked at, from the newest on, for one that is old enough. */
const maxVersions = 10;

interface Parts {
  readonly rule: TagRule;
  readonly repository: Repository;
  /** The artifact that is served. */
  readonly stored: Artifact | undefined;
  readonly url: string;
}

/**
 * What may be taken in the place of a version that is too young: the next newest tag of a range or policy, down to the version
 * that is served, and that one. Never an older one than is served, wherever its tag points by now.
 */
export class Alternatives {
  readonly #parts: Parts;
  readonly #tried = new Set<string>();
  readonly #served: { readonly tag: string | undefined; readonly digest: string } | undefined;
  #isServedTried = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { stored, url } = parts;
    const digest = stored?.metadata?.[UPSTREAM_DIGEST_ANNOTATION] ?? "";
    const isFromHere = stored?.metadata?.[UPSTREAM_URL_ANNOTATION] === url && isDigest(digest);
    this.#served = isFromHere ? { tag: tagOfRevision(stored.revision), digest } : undefined;
  }

  /**
   * @param young what has just turned out to be too young
   * @returns undefined where there is nothing left
   * @throws what resolving throws
   */
  async next(young: Resolved, signal: AbortSignal): Promise<Resolved | undefined> {
    const isServed = young.root.digest === this.#served?.digest && young.tag === this.#served.tag;
    if (this.#isServedTried || isServed) return undefined;
    if (young.tag !== undefined && young.tag !== this.#served?.tag) {
      this.#tried.add(young.tag);
      const newest = await this.#nextTag(signal);
      if (newest !== undefined) return newest;
    }
    return await this.#previous(signal);
  }

  async #nextTag(signal: AbortSignal): Promise<Resolved | undefined> {
    const { rule, repository } = this.#parts;
    if (rule.kind !== "list" || this.#tried.size >= maxVersions) return undefined;
    const [tried, served] = [this.#tried, this.#served];
    async function* tags(within: AbortSignal): AsyncGenerator<readonly string[]> {
      for await (const page of repository.tags(within)) yield page.filter((tag) => !tried.has(tag));
      // Also where it is gone: what comes after it is older than what is served.
      if (served?.tag !== undefined) yield [served.tag];
    }
    return await unlessGone(["NoTagMatch", "NotFound"], () =>
      resolveRoot(rule, { ...repository, tags }, "read", signal),
    );
  }

  /** By its digest: the tag may have moved. */
  async #previous(signal: AbortSignal): Promise<Resolved | undefined> {
    this.#isServedTried = true;
    const served = this.#served;
    if (served === undefined) return undefined;
    const { repository } = this.#parts;
    const root = await unlessGone(["NotFound"], () => repository.resolve(served.digest, signal, "read"));
    return root && { tag: served.tag, root };
  }
}

async function unlessGone<T>(codes: readonly string[], resolve: () => Promise<T>): Promise<T | undefined> {
  try {
    return await resolve();
  } catch (error) {
    if (codes.includes(codeOf(error))) return undefined;
    throw error;
  }
}
