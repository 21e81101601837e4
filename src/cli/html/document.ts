import { createHash } from "node:crypto";
import { markup, type Markup } from "./markup.ts";

/**
 * A whole page that asks nothing of a network: it may style itself, and run `script` where there is one, which the body holds.
 * @param title text
 */
export function documentOf(
  { title, style, script }: { readonly title: string; readonly style: string; readonly script?: string },
  body: Markup,
): string {
  const scripts = script === undefined ? "" : ` script-src ${hashOf(script)};`;
  const policy = `default-src 'none'; style-src ${hashOf(style)};${scripts} base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ html: policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${{ html: style }}</style>
</head>
<body>
${body}
</body>
</html>
`.html;
}

/** CSP level 3, "hash-source". */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
