import { CodedError, messageOf } from "../errors.ts";
import { isTag } from "../oci/reference.ts";
import { nextPage } from "./link.ts";
import { pageRefusals, pageSizeRefusals } from "./refusals.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./http-message.ts";
import { parseJson } from "../text/json.ts";

const pageSize = 1000;
/** Some registries ignore the page size and send everything at once. */
const maxPageBytes = 32 * 1024 * 1024;
const maxTagValues = 1_000_000;
/** No registry pages by fewer tags than this for long. */
const leastTagsOnAPage = 50;
/** Pages that registries make of their own accord are of 50, 100, 200 or 1,000 tags. */
const roundSize = 50;

/**
 * Tags, page by page (distribution-spec, "Listing Tags"): the whole list, or an error. Pages are followed by `Link`, as it
 * stands. Where it leads elsewhere or nowhere, and where a full page comes without one, the next page is asked for by
 * `last`; a page size that the registry refuses is left out.
 *
 * @throws RegistryResponseInvalid for more tags than allowed, for pages that go round in circles, and where there is more
 * that cannot be got at
 */
export async function* listTags(session: Session, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  const list = new TagList(session, signal);
  for (let page = await list.first(); page !== undefined; page = await list.next(page))
    if (page.tags.length > 0) yield page.tags;
}

interface Page {
  readonly response: HttpResponse;
  readonly tags: readonly string[];
}

class TagList {
  readonly #session: Session;
  readonly #signal: AbortSignal;
  readonly #seen = new Set<string>();
  #query = `n=${pageSize}&`;
  #count = 0;
  /** Whether the pages that links have led to were there. */
  #links: "good" | "broken" | undefined;

  constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  async first(): Promise<Page | undefined> {
    const sized = await this.#read(this.#url(undefined), pageSizeRefusals);
    if (sized !== undefined) return sized;
    this.#query = "";
    return await this.#read(this.#url(undefined), []);
  }

  /** The page after `page`; undefined where that was the last. */
  async next(page: Page): Promise<Page | undefined> {
    const link = nextPage(page.response.header("link"), page.response.url);
    if (link instanceof URL && this.#links !== "broken") {
      const linked = await this.#read(link, pageRefusals);
      this.#links = linked === undefined ? "broken" : "good";
      if (linked !== undefined) return linked;
    }
    const last = page.tags.at(-1);
    if (link === undefined && !this.#mayBeFull(page)) return undefined;
    if (last === undefined) {
      if (link === undefined) return undefined;
      throw this.#incomplete(page, "it announces another page that cannot be read");
    }
    return await this.#after(page, last, link !== undefined);
  }

  /** The page after the tag `last`, which a registry that does not know the parameter answers with what it has sent already. */
  async #after(page: Page, last: string, isAnnounced: boolean): Promise<Page | undefined> {
    const more = await this.#read(this.#url(last), isAnnounced ? pageRefusals : []);
    if (more === undefined) throw this.#incomplete(page, `it refuses to go on after "${last}"`);
    if (more.tags.length === 0) return undefined;
    const isRepeated = more.tags[0] === page.tags[0] || more.tags[0] === last;
    if (!isRepeated) return more;
    if (isAnnounced) throw this.#incomplete(page, `it begins anew when asked for what is after "${last}"`);
    this.#count -= more.tags.length;
    return undefined;
  }

  /** By our size, or by one that a registry may have of its own and does not say a word about. */
  #mayBeFull({ tags }: Page): boolean {
    return tags.length === pageSize || (this.#links === undefined && tags.length % roundSize === 0);
  }

  #url(last: string | undefined): URL {
    const after = last === undefined ? "" : `last=${encodeURIComponent(last)}`;
    return this.#session.url(`tags/list?${this.#query}${after}`.replace(/[?&]$/, ""));
  }

  /** Undefined where the registry refuses the page by one of `refusals`. */
  async #read(url: URL, refusals: readonly number[]): Promise<Page | undefined> {
    const { maxTags } = this.#session.access.limits;
    if (this.#seen.has(url.href) || this.#seen.size > 1 + maxTags / leastTagsOnAPage)
      throw new CodedError("RegistryResponseInvalid", `${this.#session.name}: the registry's list of tags has no end`);
    this.#seen.add(url.href);
    const { response, body } = await this.#session.fetchBytes(
      {
        method: "GET",
        path: url,
        headers: { accept: "application/json" },
        needs: "pull",
        accept: [200, ...refusals],
      },
      maxPageBytes,
      this.#signal,
    );
    if (response.status !== 200) return undefined;
    const tags = parseTags(response, body);
    this.#count += tags.length;
    if (this.#count > maxTags)
      throw new CodedError(
        "RegistryResponseInvalid",
        `${this.#session.name} has more than ${maxTags} tags; name one in ref.tag instead`,
      );
    return { response, tags };
  }

  #incomplete({ response }: Page, problem: string): CodedError {
    return new CodedError(
      "RegistryResponseInvalid",
      `${response.name}: the registry's list of tags is incomplete: ${problem}; name a tag in ref.tag instead`,
    );
  }
}

function parseTags(response: HttpResponse, body: Buffer): string[] {
  let parsed: unknown;
  try {
    parsed = parseJson(body.toString("utf8"), { maxValues: maxTagValues });
  } catch (error) {
    throw new CodedError("RegistryResponseInvalid", `${response.name}: the list of tags ${messageOf(error)}`, {
      cause: error,
    });
  }
  const tags = (parsed as { tags?: unknown } | null)?.tags ?? [];
  if (!Array.isArray(tags))
    throw new CodedError("RegistryResponseInvalid", `${response.name}: the list of tags is not a list`);
  return tags.filter((tag): tag is string => typeof tag === "string" && isTag(tag));
}
