import { styleText } from "node:util";
import type { CliEnvironment } from "../config.ts";

/** How text is shown where it goes. */
export interface Screen {
  /** Characters in a line; undefined where nothing is cut or folded, because a program or a file reads it. */
  readonly columns: number | undefined;
  readonly color: boolean;
}

/** A stream as the process has it. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
}

/** For whatever is not a terminal. */
export const noTerminal: Terminal = { isTTY: false };

export type ColorWish = "auto" | "always" | "never";

const usualColumns = 80;
/** Below that nothing can be read any more. */
const leastColumns = 20;

/** The flag decides before NO_COLOR, that before FORCE_COLOR, and that before the terminal. */
export function screenOf(terminal: Terminal, wish: ColorWish, environment: CliEnvironment): Screen {
  const columns = terminal.isTTY === true ? (environment.columns ?? terminal.columns ?? usualColumns) : undefined;
  const asked = wish === "auto" ? environment.color : wish;
  return {
    columns: columns === undefined || columns === 0 ? undefined : Math.max(leastColumns, columns),
    color: asked === "auto" ? terminal.isTTY === true : asked === "always",
  };
}

const tones = {
  good: "green",
  bad: "red",
  warn: "yellow",
  faint: "dim",
  strong: "bold",
} as const;

/** What a colour says: it helps, and nothing is told by it alone. */
export type Tone = keyof typeof tones;

export function paint({ color }: Screen, tone: Tone | undefined, text: string): string {
  if (!color || tone === undefined || text === "") return text;
  return styleText(tones[tone], text, { validateStream: false });
}
