import { choicesOf, type Flag } from "../help/flags.ts";
import type { Completion } from "./model.ts";

/** Lines for fish, which loads them from ~/.config/fish/completions/strata.fish. */
export function fishScript(commands: readonly Completion[]): string {
  const first = commands.map(
    ({ name, summary }) => `complete -c strata -n __fish_use_subcommand -f -a ${word(name)} -d ${word(summary)}\n`,
  );
  const own = ["help", "version"].map((name) => `complete -c strata -n __fish_use_subcommand -f -l ${name}\n`);
  return `# strata completion fish\n${first.join("")}${own.join("")}${commands.map(commandLines).join("")}`;
}

function commandLines({ name, flags, words }: Completion): string {
  const start = `complete -c strata -n ${word(`__fish_seen_subcommand_from ${name}`)}`;
  const args = words.length === 0 ? "" : `${start} -f -a ${word(words.join(" "))}\n`;
  return args + flags.map((flag) => `${start} ${flagArguments(flag)}\n`).join("");
}

function flagArguments(flag: Flag): string {
  const { long, short, takes, description } = flag;
  const choices = choicesOf(flag);
  const value = choices.length > 0 ? ` -x -a ${word(choices.join(" "))}` : takes === "" ? "" : " -r";
  // A long flag of one letter is a short one: that is how parseArgs names it.
  const names = [...(long.length > 1 ? [`-l ${long}`] : []), ...(short === undefined ? [] : [`-s ${short}`])];
  return `${names.join(" ")}${value}${description === "" ? "" : ` -d ${word(description)}`}`;
}

/** In single quotes, fish takes only a backslash and a quote for something else. */
function word(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
