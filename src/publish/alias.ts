import { CodedError } from "../errors.ts";
import { isTag } from "../oci/reference.ts";

/** Values of template variables by name: `tag`, `hex`, `annotation:KEY`. Undefined or empty: there is none here. */
export type AliasVariables = Readonly<Record<string, string | undefined>>;

/**
 * The tags that `templates` stand for, each once: text with variables in braces, such as `{tag}`, `stable` or `qa-{tag}`.
 * @throws InvalidTemplate for a variable that is unknown or empty, and for what is not a tag in the end
 */
export function renderAliases(templates: readonly string[], variables: AliasVariables): string[] {
  return [...new Set(templates.map((template) => renderAlias(template, variables)))];
}

function renderAlias(template: string, variables: AliasVariables): string {
  const fail = (problem: string): CodedError =>
    new CodedError("InvalidTemplate", `publish.oci.tags: ${JSON.stringify(template.slice(0, 200))} ${problem}`);
  const alias = template.replace(/\{([^{}]*)\}/g, (_, name: string) => {
    if (!Object.hasOwn(variables, name))
      throw fail(
        `uses {${name}}; there are ${Object.keys(variables)
          .map((known) => `{${known}}`)
          .join(" ")}`,
      );
    const value = variables[name];
    if (!value) throw fail(`uses {${name}}, which is empty here`);
    return value;
  });
  if (isTag(alias)) return alias;
  throw fail(`becomes ${JSON.stringify(alias.slice(0, 200))}; tags are letters, digits and . _ -, at most 128`);
}
