import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * How much output one decompressor may give before the buffers of it that nobody uses any more are collected: little enough that
 * V8 does not go through the whole heap for them, and enough that those still in use are not taken for old.
 */
const everyBytes = 3 * 1024 * 1024;

type CollectGarbage = (options: { readonly type: "minor" }) => void;

let collect: CollectGarbage | undefined;

/**
 * Keeps the buffers in check that Node's zlib makes anew for each piece of its output: V8 sees hardly anything in its own heap
 * meanwhile, and lets 64 MiB of them lie before it collects any. Collecting young objects alone takes a millisecond.
 */
export class YoungBuffers {
  #bytes = 0;

  /** So many bytes more have been given out. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < everyBytes) return;
    this.#bytes = 0;
    collect ??= garbageCollector();
    collect({ type: "minor" });
  }
}

/** Node has no other way to it for a program that was started without flags. */
function garbageCollector(): CollectGarbage {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as CollectGarbage;
  setFlagsFromString("--no-expose-gc");
  return gc;
}
