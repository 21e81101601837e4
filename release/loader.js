/**
 * The main script of the program in one file (CommonJS, as Node wants it there). The parts are assets, so that starting reads
 * no more of them than the script with files beside it does.
 */
const { getRawAsset } = require("node:sea");
const { Script } = require("node:vm");
const { zstdDecompressSync } = require("node:zlib");

const loaded = new Map();

function load(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const part = { exports: {} };
  loaded.set(name, part);
  const wrapped = `(function (exports, require, module, __filename) {${zstdDecompressSync(getRawAsset(name))}\n})`;
  const run = new Script(wrapped, { filename: name }).runInThisContext();
  run(part.exports, requireFrom, part, name);
  return part.exports;
}

/** What is not a part is a module of Node's. */
function requireFrom(id) {
  return id.startsWith("./") ? load(id.slice(2)) : require(id);
}

load("strata.js");
