import { usual, type Vendor } from "./vendor.ts";

const pageSize = 50;

export const quay: Vendor = {
  name: "Quay",
  knownBy: "report",
  can: { ...usual, tags: "opaque token" },
  quirks: [
    {
      what: "the next page is named by an opaque token with escapes; `last` is ignored",
      report: "regclient/regclient#272, deitch/docker_registry2#56",
    },
  ],
  guard:
    ({ store, url: origin }) =>
    ({ url, headers }) => {
      const { pathname, searchParams } = new URL(url, origin);
      const [, repository = ""] = /^\/v2\/(.+)\/tags\/list$/.exec(pathname) ?? [];
      if (repository === "" || headers.authorization === undefined) return undefined;
      const from = Number(Buffer.from(searchParams.get("next_page") ?? "", "base64").toString() || "0");
      const tags = [...store.repository(repository).tags.keys()];
      const next = encodeURIComponent(Buffer.from(String(from + pageSize)).toString("base64"));
      const more = from + pageSize < tags.length;
      const link = more ? `<${pathname}?next_page=${next}&n=${pageSize}>; rel="next"` : undefined;
      const body = JSON.stringify({ name: repository, tags: tags.slice(from, from + pageSize) });
      return { status: 200, body, headers: { link } };
    },
};
