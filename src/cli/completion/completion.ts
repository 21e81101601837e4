import { commonFlags, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { commands } from "../commands.ts";
import { flagsOf } from "../help/flags.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import type { Completion } from "./model.ts";
import { zshScript } from "./zsh.ts";

const help = `
strata completion writes a script by which a shell completes commands, flags and what flags take.

Usage:
  strata completion bash|zsh|fish

Flags:
${flagsHelp({})}

Examples:
  source <(strata completion bash)
  strata completion zsh > "\${fpath[1]}/_strata"
  strata completion fish > ~/.config/fish/completions/strata.fish
`;

const options = {} as const;

const shells: Readonly<Record<string, (commands: readonly Completion[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export const completion: Command = {
  summary: "Write what a shell needs to complete commands and flags",
  help,
  options,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { positionals } = parseFlags(options, args);
  const [shell, ...others] = positionals;
  if (shell === undefined || others.length > 0 || !Object.hasOwn(shells, shell))
    throw new UsageError("strata completion takes one shell: bash, zsh or fish");
  io.stdout.write(shells[shell]!(await completions()));
  return 0;
}

async function completions(): Promise<Completion[]> {
  const words: Readonly<Record<string, readonly string[]>> = {
    completion: Object.keys(shells),
    help: Object.keys(commands),
  };
  return Promise.all(
    Object.entries(commands).map(async ([name, row]) => {
      const { help, options } = await row.load();
      const flags = flagsOf({ help, options: { ...options, ...commonFlags } });
      return { name, summary: row.summary, flags, words: words[name] ?? [] };
    }),
  );
}
