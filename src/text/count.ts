/**
 * A number with its noun: `1 tag`, `3 tags`, `0 manifests`.
 * @param plural where it is not the noun with an s
 */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Read letter by letter, such as `OCI`. */
const spelled = /^[A-Z][A-Z0-9]+/;
/** Letters whose names begin with a vowel. */
const vowelNames = /^[AEFHILMNORSX]/;
/** Written with a vowel and spoken without. */
const consonants = /^(?:uni|us[aeu]|eu|one\b|once\b)/i;

/** A noun with its article: `an oras artifact`, `a tag`, `an OCI layout`, `a URL`. */
export function withArticle(noun: string): string {
  const isVowel = spelled.test(noun) ? vowelNames.test(noun) : /^[aeiou]/i.test(noun) && !consonants.test(noun);
  return `${isVowel ? "an" : "a"} ${noun}`;
}
