import { plain } from "../terminal.ts";

/** Text that is HTML already. */
export interface Markup {
  readonly html: string;
}

type Piece = string | number | Markup | readonly Markup[] | undefined;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A template whose values are text: escaped, and made `plain`, unless they are markup themselves. */
export function markup(strings: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  return { html: strings.map((string, at) => string + (at < values.length ? rendered(values[at]) : "")).join("") };
}

/** A value inside a script element of type application/json, which ends at the first `</script`. */
export function embeddedJson(value: unknown): Markup {
  return {
    html: JSON.stringify(value).replace(
      /[<>&\u2028\u2029]/g,
      (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, "0")}`,
    ),
  };
}

function rendered(value: Piece): string {
  if (value === undefined) return "";
  if (typeof value === "object") return "html" in value ? value.html : value.map(({ html }) => html).join("");
  return plain(String(value)).replace(/[&<>"']/g, (char) => entities[char]!);
}
