import { Document, Scalar, visit } from "yaml";
import { printable, visibleJson } from "../text/printable.ts";

/** YAML that is the same to a program, and that a terminal only shows. */
export function visibleYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar: (_, node) => {
      // Only there can a character be written as an escape. The blanks of a text of nothing else get lost in a block.
      if (typeof node.value === "string" && (isInvisible(node.value) || node.value.trim() === ""))
        node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return visibleJson(document.toString({ lineWidth: 0 }));
}

function isInvisible(text: string): boolean {
  const lines = text.replaceAll("\n", "");
  return printable(lines, lines.length) !== lines;
}
