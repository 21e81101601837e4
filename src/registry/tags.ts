import { CodedError, messageOf } from "../errors.ts";
import { isTag } from "../oci/reference.ts";
import { nextPage } from "./link.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./transport.ts";
import { parseJson } from "../text/json.ts";

const pageSize = 1000;
/** Some registries ignore the page size and send everything at once. */
const maxPageBytes = 32 * 1024 * 1024;
const maxTagValues = 1_000_000;
/** No registry pages by fewer tags than this for long. */
const leastTagsOnAPage = 50;

/**
 * Tags, page by page (distribution-spec, "Listing Tags"). Pages are followed by `Link`; where a full page comes without
 * one, by `last`, which ends when a page brings nothing new.
 *
 * @throws RegistryResponseInvalid for more tags than allowed, and for pages that go round in circles
 */
export async function* listTags(session: Session, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  const { maxTags } = session.access.limits;
  const seen = new Set<string>();
  let count = 0;
  let previous: readonly string[] = [];
  for (let url: URL | undefined = session.url(`tags/list?n=${pageSize}`); url;) {
    if (seen.has(url.href) || seen.size > 1 + maxTags / leastTagsOnAPage) {
      throw new CodedError("RegistryResponseInvalid", `${session.name}: the registry's list of tags has no end`);
    }
    seen.add(url.href);
    const request = {
      method: "GET",
      path: url,
      headers: { accept: "application/json" },
      needs: "pull",
      accept: [200],
    } as const;
    const { response, body } = await session.fetchBytes(request, maxPageBytes, signal);
    const page = parseTags(response, body);
    if (page.length > 0 && page[0] === previous[0]) return;
    count += page.length;
    if (count > maxTags)
      throw new CodedError(
        "RegistryResponseInvalid",
        `${session.name} has more than ${maxTags} tags; name one in ref.tag instead`,
      );
    if (page.length > 0) yield page;
    previous = page;
    const next = nextPage(response.header("link"), response.url);
    url = next instanceof URL ? next : pageAfter(session, page, next === "elsewhere");
  }
}

/** Where a page is exactly full, there may be more although no Link says so. */
function pageAfter(session: Session, page: readonly string[], announced: boolean): URL | undefined {
  const last = page.at(-1);
  if (last === undefined || (page.length !== pageSize && !announced)) return undefined;
  return session.url(`tags/list?n=${pageSize}&last=${encodeURIComponent(last)}`);
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
