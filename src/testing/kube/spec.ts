/** A spec that follows version 1.0.0 in a repository of a test registry, with `more` in place of what it states. */
export function specOf(registry: { readonly host: string }, repository: string, more: object = {}): object {
  return {
    url: `oci://${registry.host}/${repository}`,
    insecure: true,
    interval: "10m",
    ref: { tag: "1.0.0" },
    ...more,
  };
}
