import { copy } from "./copy.ts";
import { extractAll } from "./extract-all.ts";
import { extract } from "./extract.ts";
import type { Operation, OperationName } from "./operation.ts";

/** Every operation of the API. */
export const operations = { Copy: copy, Extract: extract, ExtractAll: extractAll } as const satisfies Record<OperationName, Operation>;
