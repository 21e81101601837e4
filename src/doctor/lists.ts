import { isTag } from "../oci/reference.ts";
import { ociIndexType } from "../oci/media-types.ts";
import type { Digest } from "../oci/types.ts";
import { nextPage } from "../registry/link.ts";
import { readFallbackTag } from "../registry/referrers.ts";
import { listRefusals } from "../registry/refusals.ts";
import type { Session } from "../registry/session.ts";
import type { HttpResponse } from "../registry/http-message.ts";
import { parseJsonObject } from "../text/json.ts";
import { answer, type Answer } from "./check.ts";
import { counted } from "../text/count.ts";

const maxPageBytes = 32 * 1024 * 1024;

interface Page {
  readonly response: HttpResponse;
  /** Undefined where the answer is not a list. */
  readonly list: readonly unknown[] | undefined;
}

async function readPage(session: Session, path: string | URL, key: string, signal: AbortSignal): Promise<Page> {
  const headers = { accept: key === "tags" ? "application/json" : ociIndexType };
  const accept = [200, ...listRefusals];
  const { response, body } = await session.fetchBytes(
    { method: "GET", path, headers, needs: "pull", accept },
    maxPageBytes,
    signal,
  );
  return { response, list: response.status === 200 ? listIn(body, key) : undefined };
}

function listIn(body: Buffer, key: string): readonly unknown[] | undefined {
  try {
    const found = parseJsonObject(body, { maxValues: 1_000_000 })[key] ?? (key === "tags" ? [] : undefined);
    return Array.isArray(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

const tagsOf = ({ list = [] }: Page): string[] =>
  list.filter((tag): tag is string => typeof tag === "string" && isTag(tag));

/** A tag that is there; undefined where none is listed. */
export async function anyTag(session: Session, signal: AbortSignal): Promise<string | undefined> {
  return tagsOf(await readPage(session, "tags/list", "tags", signal)).at(-1);
}

/** The first page as a client asks for it, then pages of one tag: whether the size, `Link` and `last` are understood. */
export async function askTags(session: Session, signal: AbortSignal): Promise<Answer> {
  const sized = await readPage(session, "tags/list?n=1000", "tags", signal);
  const whole = sized.list === undefined ? await readPage(session, "tags/list", "tags", signal) : sized;
  if (whole.list === undefined)
    return answer("fails", refused(whole), "needs a tag or a digest in the reference; semver cannot be followed");
  const count = tagsOf(whole).length;
  const size = sized === whole ? "" : `; n=1000 is ${refused(sized)}`;
  const listed = `${counted(count, "tag")} on the first page${size}`;
  if (count < 2) return answer("ok", `${listed}; too few to ask for pages`, "lists them, by Link, else by last");
  const { outcome, found, strata } = await askPages(session, signal);
  return size === "" || outcome !== "ok"
    ? answer(outcome, `${listed}; ${found}`, strata)
    : answer("limited", `${listed}; ${found}`, `asks without a page size, and ${strata}`);
}

async function askPages(session: Session, signal: AbortSignal): Promise<Answer> {
  const page = await readPage(session, "tags/list?n=1", "tags", signal);
  if (page.list === undefined) return answer("limited", `n=1 is ${refused(page)}`, "asks without a page size");
  const first = tagsOf(page);
  if (first.length !== 1) return answer("limited", "n is ignored", "takes pages as they come, by Link, else by last");
  const link = await linkOf(session, page, signal);
  const last = await lastOf(session, first[0] ?? "", signal);
  const found = `n works; ${link}; ${last}`;
  if (link === linkWorks) return answer("ok", found, "lists all by Link");
  if (last === lastWorks) return answer("limited", found, "lists all by last");
  return answer("fails", found, "lists one page, and refuses a list that is announced to be longer");
}

const refused = ({ response }: Page): string =>
  response.status === 200 ? `${response.name}: no list` : `refused with ${response.status}`;

const linkWorks = "Link works";
const lastWorks = "last works";

async function linkOf(session: Session, { response, list }: Page, signal: AbortSignal): Promise<string> {
  const next = nextPage(response.header("link"), response.url);
  if (next === undefined) return "no Link";
  if (next === "elsewhere") return "Link leads elsewhere";
  const page = await readPage(session, next, "tags", signal);
  if (page.list === undefined) return `Link leads to a ${page.response.status}`;
  return page.list[0] === list?.[0] ? "Link leads to the same page" : linkWorks;
}

async function lastOf(session: Session, last: string, signal: AbortSignal): Promise<string> {
  const page = await readPage(session, `tags/list?n=1&last=${encodeURIComponent(last)}`, "tags", signal);
  if (page.list === undefined) return `last is ${refused(page)}`;
  return page.list.length > 0 && page.list[0] !== last ? lastWorks : "last is ignored";
}

/** The referrers API, and the fallback tag beside it. */
export async function askReferrers(session: Session, subject: Digest, signal: AbortSignal): Promise<Answer> {
  const page = await readPage(session, `referrers/${subject}`, "manifests", signal);
  const tagged = (await readFallbackTag(session, subject, "pull", signal)).length;
  const tag = tagged === 0 ? "no list under the fallback tag" : `${tagged} listed under the fallback tag`;
  if (page.list === undefined)
    return answer("limited", `no API (${refused(page)}); ${tag}`, "reads and keeps the list under the fallback tag");
  const strata =
    page.list.length === 0 && tagged > 0 ? "reads the fallback tag" : "asks the API, then the fallback tag";
  return answer("ok", `API with ${page.list.length} listed; ${tag}`, strata);
}
