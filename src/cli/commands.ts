import type { Command } from "./command.ts";

/** A row of the overview; the command itself is loaded only when it is called. */
export interface CommandRow {
  readonly summary: string;
  load(): Promise<Command>;
}

export const commands: Readonly<Record<string, CommandRow>> = {};
