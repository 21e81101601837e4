/**
 * What the work needs together with what the challenge names, so that a token serves for all of it: a challenge to the
 * first look names `pull` alone, and not every registry says properly that this is too little for what comes next.
 * A registry that calls our repository by another name is answered in its own words.
 */
export function union(challenged: readonly string[], wanted: readonly string[]): readonly string[] {
  const [own = "", ...mounted] = wanted;
  const same = challenged.findIndex((scope) => repositoryOf(scope) === repositoryOf(own));
  const isAlone = challenged.length === 1 && challenged[0]?.startsWith("repository:") === true;
  const at = same < 0 && isAlone ? 0 : same;
  const named = new Set(challenged.map(repositoryOf));
  return [
    ...(at < 0 ? [own] : []),
    ...challenged.map((scope, position) => (position === at ? withActions(scope, actionsOf(own)) : scope)),
    ...mounted.filter((scope) => !named.has(repositoryOf(scope))),
  ];
}

function withActions(scope: string, wanted: readonly string[]): string {
  const actions = actionsOf(scope);
  const missing = actions.includes("*") ? [] : wanted.filter((action) => !actions.includes(action));
  return missing.length === 0 ? scope : `${repositoryOf(scope)}:${[...actions, ...missing].join(",")}`;
}

/** `repository:team/app`, of `repository:team/app:pull`. */
export const repositoryOf = (scope: string): string => scope.slice(0, scope.lastIndexOf(":"));

const actionsOf = (scope: string): string[] => scope.slice(scope.lastIndexOf(":") + 1).split(",");

/** Whether both name the same, in the same order. */
export const isEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((scope, at) => scope === b[at]);

/** Whether `scope` asks for no more than one of `scopes`, whatever the order of its actions. */
export function covers(scopes: readonly string[], scope: string): boolean {
  const own = scopes.find((candidate) => repositoryOf(candidate) === repositoryOf(scope));
  const actions = own === undefined ? [] : actionsOf(own);
  return actionsOf(scope).every((action) => actions.includes(action));
}
