import { isObject, type Json } from "../../text/json.ts";
/** JSON merge patch (RFC 7386): objects are merged, `null` removes, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else setField(merged, name, mergePatch(merged[name], value));
  }
  return merged;
}

/** What `previous` has and `next` no longer has, as a merge patch; undefined where that is nothing. */
export function removals(previous: Json, next: Json): Json | undefined {
  const patch: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(previous)) {
    const kept = next[name];
    const inner = isObject(value) && isObject(kept) ? removals(value, kept) : undefined;
    if (!Object.hasOwn(next, name)) setField(patch, name, null);
    else if (inner !== undefined) setField(patch, name, inner);
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** `__proto__` may be a key of JSON; assigned plainly, it would be the prototype. */
function setField(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
