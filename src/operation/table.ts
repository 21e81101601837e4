import { copy } from "./copy.ts";
import { extractAll, extractAllTree } from "./extract-all.ts";
import { extract, extractTree } from "./extract.ts";
import type { Operation, OperationName, TreeOperation } from "./operation.ts";

/** Every operation of the API. */
export const operations = { Copy: copy, Extract: extract, ExtractAll: extractAll } as const satisfies Record<
  OperationName,
  Operation
>;

/** Those whose result is files more than an artifact. */
export const treeOperations = { Extract: extractTree, ExtractAll: extractAllTree } as const satisfies Partial<
  Record<OperationName, TreeOperation>
>;
