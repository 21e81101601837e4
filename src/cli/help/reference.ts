import { commands } from "../commands.ts";

/** The help of every command as one Markdown document: docs/cli.md. */
export async function reference(): Promise<string> {
  const rows = Object.entries(commands);
  const list = rows.map(([name, { summary }]) => `| [\`strata ${name}\`](#strata-${name}) | ${cell(summary)} |`);
  const sections = await Promise.all(
    rows.map(async ([name, row]) => {
      const same = /^The same as (\w+)$/.exec(row.summary)?.[1];
      const body =
        same === undefined
          ? sectionOf((await row.load()).help)
          : `The same as [\`strata ${same}\`](#strata-${same}).\n`;
      return `## strata ${name}\n\n${body}`;
    }),
  );
  return `# The command line

This page is what \`strata help --markdown\` writes. \`strata completion\` writes what a shell needs to complete commands and
flags. Exit codes: 0, 1 for a failure, 2 for a command line that is wrong.

| Command | What it does |
|---|---|
${list.join("\n")}

${sections.join("\n")}`;
}

/** Paragraphs stay text; each part below a heading of its own, such as `Flags:`, becomes a block. */
function sectionOf(help: string): string {
  const [first = "", ...parts] = `\n${help.trim()}`.split(/\n(?=[A-Z][^\n]*:\n {2})/);
  return [prose(first), ...parts.map(part)].join("\n");
}

function part(text: string): string {
  const [heading = "", ...lines] = text.split("\n");
  const end = lines.findIndex((line, at) => line === "" && lines.slice(at + 1).some((next) => /^\S/.test(next)));
  const block = (end < 0 ? lines : lines.slice(0, end)).map((line) => line.replace(/^ {2}/, ""));
  const language = /^Examples?:$/.test(heading) ? "sh" : "text";
  const rest = end < 0 ? "" : `\n${prose(lines.slice(end + 1).join("\n"))}`;
  return `**${escaped(heading.replace(/:$/, ""))}**\n\n\`\`\`${language}\n${block.join("\n").trimEnd()}\n\`\`\`\n${rest}`;
}

function prose(text: string): string {
  return `${escaped(text.trim())}\n`;
}

function cell(text: string): string {
  return escaped(text).replaceAll("|", "\\|");
}

/** What Markdown would take for something else than text. */
function escaped(text: string): string {
  return text.replace(/[\\`*_<>[\]]/g, "\\$&");
}
