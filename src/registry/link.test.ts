import { expect, test } from "vitest";
import { nextPage } from "./link.ts";

const page = new URL("https://r.example:5000/v2/a/tags/list?n=2");

test.each<[string, string | undefined, string | undefined]>([
  ["no header", undefined, undefined],
  ["a path", '</v2/a/tags/list?last=b&n=2>; rel="next"', "https://r.example:5000/v2/a/tags/list?last=b&n=2"],
  ["a query alone", "<?last=b>; rel=next", "https://r.example:5000/v2/a/tags/list?last=b"],
  ["the same origin", '<https://r.example:5000/x>; rel="next"', "https://r.example:5000/x"],
  ["another host", '<https://evil.example/x>; rel="next"', "elsewhere"],
  ["another port", '<https://r.example/x>; rel="next"', "elsewhere"],
  ["without TLS, of a registry behind TLS", '<http://r.example:5000/x>; rel="next"', "https://r.example:5000/x"],
  ["without TLS on another port", '<http://r.example/x>; rel="next"', "elsewhere"],
  ["no URL", '<https://[>; rel="next"', "elsewhere"],
  ["another relation", '</x>; rel="prev"', undefined],
  ["among others", '</p>; rel="prev", </n>; title="a, b; rel=x"; rel="last next"', "https://r.example:5000/n"],
  ["no relation", "</x>", "elsewhere"],
  ["no angle brackets", '/v2/a/tags/list?last=b; rel="next"', "elsewhere"],
  ["an open bracket", '</v2/a/tags/list?last=b; rel="next"', "elsewhere"],
  ["an empty header", " ", undefined],
  ["the last page alone", '</v2/a/tags/list?last=b>; rel="last"', undefined],
  ["commas in the URL", '</x?a=1,2>; rel="next"', "https://r.example:5000/x?a=1,2"],
])("%s", (_, header, expected) => {
  const found = nextPage(header, page);
  expect(found instanceof URL ? found.href : found).toBe(expected);
});
