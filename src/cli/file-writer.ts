/** A thread that writes the files that it is started with, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { CodedError } from "../errors.ts";
import { writeFiles, type FileBatch } from "./write-files.ts";

try {
  writeFiles(workerData as FileBatch);
} catch (error) {
  if (!(error instanceof CodedError)) throw error;
  // Classes do not pass from thread to thread.
  parentPort!.postMessage({ code: error.code, message: error.message }, []);
}
