import type { ResourceType } from "../../../api/kinds.ts";
import { messageOf } from "../../errors.ts";
import type { KubeObject, ObjectKey } from "../client.ts";
import { findManifests, readManifestFile, type FoundFile } from "./manifest-files.ts";
import { parseManifests, type ManifestObject, type Manifests } from "./manifest-objects.ts";
import type { MemoryKube } from "./memory.ts";

interface KnownFile extends Manifests {
  readonly version: string;
}

/** Brings what a directory says into a MemoryKube, again and again. */
export class DirectorySync {
  readonly #dir: string;
  readonly #kube: MemoryKube;
  readonly #onProblem: (message: string) => void;
  readonly #files = new Map<string, KnownFile>();
  #made = new Map<string, ManifestObject>();
  #problems: ReadonlySet<string> = new Set();

  constructor(dir: string, kube: MemoryKube, onProblem: (message: string) => void) {
    this.#dir = dir;
    this.#kube = kube;
    this.#onProblem = onProblem;
  }

  /**
   * One pass. `unfinished` asks for another soon: an object has come back that is still being deleted.
   * @throws what the file system says of the directory itself
   */
  async run(signal: AbortSignal): Promise<"finished" | "unfinished"> {
    const found = await findManifests(this.#dir, signal);
    for (const file of found.files) {
      signal.throwIfAborted();
      await this.#read(file);
    }
    const present = new Set(found.files.map(({ name }) => name));
    for (const name of this.#files.keys()) {
      if (!present.has(name)) this.#files.delete(name);
    }
    const problems = [...found.problems, ...[...this.#files.values()].flatMap((file) => file.problems)];
    const isFinished = this.#make(this.#wanted(found.files, problems), problems);
    for (const problem of problems) {
      if (!this.#problems.has(problem)) this.#onProblem(problem);
    }
    this.#problems = new Set(problems);
    return isFinished ? "finished" : "unfinished";
  }

  async #read({ name, path, version }: FoundFile): Promise<void> {
    const before = this.#files.get(name);
    if (before?.version === version) return;
    const now = await readManifestFile(path)
      .then((text) => parseManifests(text, name))
      .catch((error: unknown) => ({ objects: [], problems: [`${name}: it cannot be read: ${messageOf(error)}`] }));
    const read = new Set(now.objects.map(idOf));
    // Which object a bad document was, nobody can tell: those that are missing stay until the file is whole again.
    const kept = now.problems.length === 0 ? [] : (before?.objects ?? []).filter((object) => !read.has(idOf(object)));
    this.#files.set(name, { version, problems: now.problems, objects: [...now.objects, ...kept] });
  }

  /** By identity; of two that are the same, the first in order of the files. */
  #wanted(files: readonly FoundFile[], problems: string[]): Map<string, ManifestObject> {
    const wanted = new Map<string, ManifestObject>();
    for (const found of files.flatMap(({ name }) => this.#files.get(name)?.objects ?? [])) {
      const { kind, metadata } = found.object;
      const first = wanted.get(idOf(found));
      if (first === undefined) wanted.set(idOf(found), found);
      else
        problems.push(
          `${found.where}: ${kind} ${metadata.namespace}/${metadata.name} is already in ${first.where}; this one is passed over`,
        );
    }
    return wanted;
  }

  /** Whether everything is as wanted. */
  #make(wanted: ReadonlyMap<string, ManifestObject>, problems: string[]): boolean {
    for (const [id, { type, object }] of this.#made) {
      if (wanted.has(id)) continue;
      this.#kube.remove(type, object.metadata);
      this.#made.delete(id);
    }
    let isFinished = true;
    for (const [id, found] of wanted) {
      if (this.#made.get(id)?.object === found.object) continue;
      const outcome = this.#put(found);
      if (outcome === "being deleted") isFinished = false;
      else if (outcome !== undefined) problems.push(`${found.where}: ${outcome}`);
      if (outcome === undefined) this.#made.set(id, found);
    }
    return isFinished;
  }

  #put({ type, object }: ManifestObject): string | undefined {
    if (this.#isBeingDeleted(type, object.metadata)) return "being deleted";
    try {
      this.#kube.put<KubeObject>(type, object);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #isBeingDeleted(type: ResourceType, key: ObjectKey): boolean {
    return this.#kube.peek(type, key)?.metadata.deletionTimestamp !== undefined;
  }
}

function idOf({ type, object }: ManifestObject): string {
  return `${type.plural}.${type.group}/${object.metadata.namespace}/${object.metadata.name}`;
}
