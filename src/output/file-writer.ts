/** A thread that writes one batch of files after the other. */
import { parentPort } from "node:worker_threads";
import { CodedError } from "../errors.ts";
import { writeFiles, type FileBatch } from "./write-files.ts";

const main = parentPort!;

main.on("message", (batch: FileBatch) => {
  try {
    writeFiles(batch);
    main.postMessage("written", []);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    // Classes do not pass from thread to thread.
    main.postMessage({ code: error.code, message: error.message }, []);
  }
});
