import { parseSync, Visitor } from "oxc-parser";

export interface Import {
  readonly specifier: string;
  /** Whether it is gone when the types are. */
  readonly typeOnly: boolean;
}

/**
 * Everything that a source imports or exports again: statically, dynamically, or as a type in the middle of another one.
 * @throws Error for what does not parse, and for a dynamic import whose specifier is computed
 */
export function importsOf(file: string, source: string): Import[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]!.message}`);
  const found: Import[] = [];
  const add = (source: { readonly value: string } | null, typeOnly: boolean): void => {
    if (source !== null) found.push({ specifier: source.value, typeOnly });
  };
  const visitor = new Visitor({
    // Where each name alone is marked as a type, the import itself stays.
    ImportDeclaration: ({ source, importKind }) => add(source, importKind === "type"),
    ExportNamedDeclaration: ({ source, exportKind }) => add(source, exportKind === "type"),
    ExportAllDeclaration: ({ source, exportKind }) => add(source, exportKind === "type"),
    TSImportType: ({ source }) => add(source, true),
    TSExternalModuleReference: ({ expression }) => add(expression, false),
    ImportExpression: ({ source }) => {
      if (source.type !== "Literal" || typeof source.value !== "string")
        throw new Error(`${file} imports what it computes; write the path as it is`);
      add({ value: source.value }, false);
    },
  });
  visitor.visit(program);
  return found;
}
