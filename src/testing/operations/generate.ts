import { readFileSync, writeFileSync } from "node:fs";
import { flagsTable, metricsTable, withGenerated } from "./tables.ts";

/** Writes the tables of flags and metrics into docs/operations.md. */
const file = new URL("../../../docs/operations.md", import.meta.url);
const page = withGenerated(readFileSync(file, "utf8"), "metrics", await metricsTable());
writeFileSync(file, withGenerated(page, "flags", flagsTable()));
