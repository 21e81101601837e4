import { choicesOf, type Flag } from "../help/flags.ts";
import { type Completion, ownFlags, quoted, spellings } from "./model.ts";

/** A function for zsh's completion system, to be put into a directory of fpath as _strata. */
export function zshScript(commands: readonly Completion[]): string {
  const rows = commands.map(({ name, summary }) => `    ${quoted(`${name.replaceAll(":", "\\:")}:${summary}`)}\n`);
  return `#compdef strata
# strata completion zsh
_strata() {
  local -a commands=(
${rows.join("")}  )
  if ((CURRENT == 2)); then
    _describe command commands
    compadd -- ${ownFlags.join(" ")}
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(commandCase).join("")}  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _strata "$@"; else compdef _strata strata; fi
`;
}

function commandCase({ name, flags, words }: Completion): string {
  const rest = words.length > 0 ? `*:argument:(${words.join(" ")})` : "*:argument:_files";
  const specs = [...flags.flatMap(specsOf), rest];
  return `    ${name})
      _arguments ${specs.map((spec) => `\\\n        ${quoted(spec)}`).join(" ")}
      ;;
`;
}

function specsOf(flag: Flag): string[] {
  const choices = choicesOf(flag);
  const action = choices.length > 0 ? `(${choices.join(" ")})` : "_files";
  const value = flag.takes === "" ? "" : `:${literal(flag.takes)}:${action}`;
  return spellings(flag).map(
    (name) =>
      `*${name}${value !== "" && name.startsWith("--") ? "=" : ""}[${literal(flag.description === "" ? flag.long : flag.description)}]${value}`,
  );
}

/** Brackets and colons end a part of a specification. */
function literal(text: string): string {
  return text.replace(/[\\[\]:]/g, "\\$&");
}
