import { formatBytes } from "./output.ts";
import type { CommandIO } from "./command.ts";

const redrawMs = 100;
const barWidth = 24;

interface Row {
  readonly label: string;
  readonly total: number;
  done: number;
}

/** Transfer progress on a terminal: one line for each layer, redrawn in place. Silent anywhere else. */
export class Progress {
  readonly #rows = new Map<string, Row>();
  readonly #io: CommandIO;
  #drawnLines = 0;
  #drawnAt = 0;

  constructor(io: CommandIO) {
    this.#io = io;
  }

  /** @param total bytes of the whole transfer */
  add(key: string, label: string, total: number, bytes: number): void {
    if (!this.#io.terminal) return;
    const row = this.#rows.get(key) ?? { label, total, done: 0 };
    row.done = Math.min(row.total, row.done + bytes);
    this.#rows.set(key, row);
    if (row.done < row.total && performance.now() - this.#drawnAt < redrawMs) return;
    this.#draw();
  }

  /** Removes the bars, so that what is printed next stands alone. */
  clear(): void {
    if (this.#drawnLines > 0) this.#io.stderr.write(`\u001B[${this.#drawnLines}A\u001B[0J`);
    this.#drawnLines = 0;
    this.#rows.clear();
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    const lines = [...this.#rows.values()].map(
      (row) => `${bar(row)} ${formatBytes(row.done)}/${formatBytes(row.total)} ${row.label}\n`,
    );
    const up = this.#drawnLines > 0 ? `\u001B[${this.#drawnLines}A\u001B[0J` : "";
    this.#io.stderr.write(up + lines.join(""));
    this.#drawnLines = lines.length;
  }
}

function bar(row: Row): string {
  const share = row.total === 0 ? 1 : row.done / row.total;
  const filled = Math.round(share * barWidth);
  return `[${"=".repeat(filled)}${" ".repeat(barWidth - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %`;
}
