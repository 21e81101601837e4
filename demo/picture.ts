/**
 * `npm run -s demo | node demo/picture.ts docs/demo.svg`: the part of the demo that is about one artifact, as a picture
 * of a terminal.
 */
import { writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { demoPicture } from "./terminal.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("write: npm run -s demo | node demo/picture.ts docs/demo.svg");
await writeFile(file, demoPicture(await text(process.stdin)));
