/** One flag of a command: parsing, help and suggestions go by its row. */
export interface Flag {
  /** `boolean` takes no value. */
  readonly type: "boolean" | "string";
  /** One letter, as in `-n`. */
  readonly short?: string;
  /** True where it may be repeated. */
  readonly multiple?: boolean;
  readonly default?: string;
  /** What the help shows that it takes, such as `FILE`; it follows from `choices` where there are some. */
  readonly takes?: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** What it takes besides, as the default that nobody needs to write. */
  readonly alsoTakes?: readonly string[];
  readonly help: string;
  /** What other programs call it: whoever writes that is told this name. */
  readonly otherNames?: readonly string[];
}

/** By name, without the dashes. */
export type Flags = Readonly<Record<string, Flag>>;
