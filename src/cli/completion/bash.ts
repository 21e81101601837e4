import { choicesOf } from "../help/flags.ts";
import { type Completion, ownFlags, spellings } from "./model.ts";

/** A script for bash 3.2 and later, without the package bash-completion. */
export function bashScript(commands: readonly Completion[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# strata completion bash
_strata() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} words="" flags="" values=""
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "${names} ${ownFlags.join(" ")}" -- "$cur"))
    return
  fi
  # Bash cuts --flag=value into three words.
  if [[ $cur == = ]]; then cur=""; elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  case \${COMP_WORDS[1]} in
${commands.map(commandCase).join("")}  esac
  if [[ -n $values ]]; then
    [[ $values == FILES ]] || COMPREPLY=($(compgen -W "$values" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o default -F _strata strata
`;
}

/** Where nothing is put into COMPREPLY, bash completes files. */
function commandCase({ name, flags, words }: Completion): string {
  const values = flags.filter(({ takes }) => takes !== "");
  const cases = values.map((flag) => {
    const choices = choicesOf(flag);
    return `        ${spellings(flag).join("|")}) values="${choices.length > 0 ? choices.join(" ") : "FILES"}" ;;\n`;
  });
  const prev = cases.length === 0 ? "" : `      case $prev in\n${cases.join("")}      esac\n`;
  return `    ${name})
      words="${words.join(" ")}"
      flags="${flags.flatMap(spellings).join(" ")}"
${prev}      ;;
`;
}
