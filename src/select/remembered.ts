/** The same answer for the same object, worked out once: what a stranger has sized is looked at in one loop, with pauses. */
export function remembered<K extends object, V>(answer: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, { readonly value: V }>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined) {
      found = { value: answer(key) };
      known.set(key, found);
    }
    return found.value;
  };
}
