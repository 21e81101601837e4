import { writeFileSync } from "node:fs";
import { reference } from "../../cli/help/reference.ts";

/** Writes the reference of the command line. */
writeFileSync(new URL("../../../docs/cli.md", import.meta.url), await reference());
