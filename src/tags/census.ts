import { CodedError } from "../errors.ts";
import type { VersionRange } from "./range.ts";
import { inRange, withPrereleases } from "./range.ts";
import type { ListRule } from "./rule.ts";
import type { Version } from "./semver.ts";
import { compareVersions, parseTagVersion, parseVersion } from "./semver.ts";

interface Sighting {
  readonly tag: string;
  readonly version: Version;
}

const maxSamples = 5;

/** Remembers of a tag list what a person needs to know when none of them was chosen; its size does not grow with the list. */
export class Census {
  /** All tags seen. */
  tags = 0;
  readonly #rule: ListRule;
  readonly #opened: VersionRange | undefined;
  readonly #filteredOut: string[] = [];
  readonly #unversioned: string[] = [];
  #passed = 0;
  /** The highest versions outside the range, highest first. */
  readonly #highest: Sighting[] = [];
  /** The highest pre-release that the range would match if it were opened to pre-releases. */
  #prerelease: Sighting | undefined;

  constructor(rule: ListRule) {
    this.#rule = rule;
    this.#opened = rule.policy.kind === "semver" ? withPrereleases(rule.policy.range) : undefined;
  }

  filteredOut(tag: string): void {
    sample(this.#filteredOut, tag);
  }

  /** A tag that passed the filter, with a value that is not a version or not in the range. */
  outside(tag: string, value: string): void {
    this.#passed += 1;
    const version = parseTagVersion(value);
    if (version === undefined) {
      sample(this.#unversioned, tag);
      return;
    }
    const sighting = { tag, version };
    keepHighest(this.#highest, sighting);
    if (version.prerelease === "" || this.#opened === undefined || !inRange(version, this.#opened)) return;
    if (this.#prerelease === undefined || compareVersions(version, this.#prerelease.version) > 0)
      this.#prerelease = sighting;
  }

  /** NoTagMatch: how many tags there were, which came closest, and what to write to take one of them. */
  noMatch(repository: string): CodedError {
    const details = {
      tags: this.tags,
      nearest: this.#highest.map((sighting) => sighting.tag),
      suggestion: this.#suggestion(),
    };
    return new CodedError("NoTagMatch", `${this.#finding(repository)} ${this.#advice()}`, { details });
  }

  #finding(repository: string): string {
    if (this.tags === 0) return `${repository} has no tags.`;
    if (this.#passed === 0) return this.#nothingPassed(repository);
    const { policy } = this.#rule;
    const range = policy.kind === "semver" ? policy.range.text : "";
    if (this.tags === 1)
      return `The only tag of ${repository} is not a version in the range "${range}": ${this.#outsiders()}.`;
    const passed =
      this.#passed === this.tags
        ? ""
        : `, of which ${this.#passed} ${this.#passed === 1 ? "passes" : "pass"} ${this.#filterField()}`;
    return `No version in the range "${range}" among the ${this.tags} tags of ${repository}${passed}: ${this.#outsiders()}.`;
  }

  #nothingPassed(repository: string): string {
    const { filter } = this.#rule;
    const pattern = filter && `${this.#filterField()} "${filter.pattern.source}"`;
    const samples = this.#filteredOut.join(", ");
    if (this.tags === 1) {
      const refused = pattern === undefined ? "is not a valid name" : `does not match ${pattern}`;
      return `The only tag of ${repository}${samples === "" ? "" : `, ${samples},`} ${refused}.`;
    }
    const missed = pattern === undefined ? "is a valid name" : `matches ${pattern}`;
    return `None of the ${this.tags} tags of ${repository} ${missed}${samples === "" ? "" : `; among them are ${samples}`}.`;
  }

  #outsiders(): string {
    const highest = this.#highest.map((sighting) => sighting.tag).join(", ");
    const others = this.#unversioned.join(", ");
    const [versions, are] = this.#highest.length === 1 ? ["version", "is"] : ["versions", "are"];
    const nearest = highest === "" ? "" : `the highest ${versions} outside it ${are} ${highest}`;
    const notVersions = this.#unversioned.length === 1 ? "is not a full version" : "are not full versions";
    const unversioned = others === "" ? "" : `${others} ${notVersions} (three numbers)`;
    return [nearest, unversioned].filter(Boolean).join("; ");
  }

  #advice(): string {
    if (this.tags === 0) return "Check spec.url, or wait until something is pushed there.";
    const suggestion = this.#suggestion();
    if (this.#prerelease !== undefined)
      return `A range leaves out pre-releases unless it states one: to take ${this.#prerelease.tag} write ${suggestion}.`;
    if (suggestion !== undefined) return `Write ${suggestion}, or another range that includes one of them.`;
    if (this.#passed === 0) return "Correct the pattern, or leave it out.";
    return "Write ref: {tag: …}, or order such tags with ref: {policy: {alphabetical: {order: asc}}}.";
  }

  /** A line of the spec that would match. */
  #suggestion(): string | undefined {
    const range = this.#suggestedRange();
    if (range !== undefined) {
      const semver = JSON.stringify(range);
      return this.#rule.origin === "policy"
        ? `ref: {policy: {semver: {range: ${semver}}}}`
        : `ref: {semver: ${semver}}`;
    }
    const moving = this.#unversioned.find((tag) => parseVersion(tag) !== undefined);
    return moving === undefined ? undefined : `ref: {tag: ${JSON.stringify(moving)}}`;
  }

  #suggestedRange(): string | undefined {
    if (this.#prerelease !== undefined) return this.#opened?.text;
    const [highest] = this.#highest;
    if (highest === undefined) return undefined;
    const { major, minor, patch, prerelease } = highest.version;
    return `>=${major}.${minor}.${patch}${prerelease === "" ? "" : `-${prerelease}`}`;
  }

  #filterField(): string {
    return this.#rule.origin === "policy" ? "spec.ref.filterTags.pattern" : "spec.ref.semverFilter";
  }
}

function sample(samples: string[], tag: string): void {
  if (samples.length < maxSamples) samples.push(tag);
}

/** Inserts into a short list kept in descending order. */
function keepHighest(highest: Sighting[], sighting: Sighting): void {
  const at = highest.findIndex((known) => compareVersions(sighting.version, known.version) > 0);
  if (at < 0 && highest.length === maxSamples) return;
  highest.splice(at < 0 ? highest.length : at, 0, sighting);
  if (highest.length > maxSamples) highest.pop();
}
