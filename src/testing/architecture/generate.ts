import { readFileSync, writeFileSync } from "node:fs";
import { rooms } from "./rooms.ts";
import { tableRows, withTable } from "./table.ts";

/** Writes the table of rooms into CONTRIBUTING.md. */
const file = new URL("../../../CONTRIBUTING.md", import.meta.url);
writeFileSync(file, withTable(readFileSync(file, "utf8"), tableRows(rooms)));
