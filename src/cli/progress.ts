/** A progress bar for long work: on a terminal only, silent elsewhere and with `--json`. */
import type { TextSink } from './output.ts';

export interface Progress {
  /** `done` of the total; drawn again only where it looks different. */
  readonly update: (done: number, label?: string) => void;
  /** Takes the bar away. */
  readonly end: () => void;
}

export interface ProgressOptions {
  readonly sink: TextSink;
  readonly json: boolean;
  readonly label: string;
  readonly total: number;
}

const silentProgress: Progress = { update: () => undefined, end: () => undefined };

const barCells = 24;

/** `Copying  ████████░░░░  42 %`, redrawn in place on stderr. */
export function startProgress(options: ProgressOptions): Progress {
  const { sink, json, total } = options;
  if (json || sink.isTTY !== true) return silentProgress;
  let shown = '';
  const draw = (text: string): void => {
    if (text === shown) return;
    shown = text;
    // To the line's start, and clear it (ECMA-48 EL): the next draw stands at the same place.
    sink.write(`\r\u001b[2K${text}`);
  };
  return {
    update: (done, label = options.label) => {
      const part = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
      const cells = Math.round(part * barCells);
      const bar = '█'.repeat(cells) + '░'.repeat(barCells - cells);
      draw(`${label}  ${bar}  ${String(Math.floor(part * 100)).padStart(3)} %`);
    },
    end: () => {
      if (shown !== '') sink.write('\r\u001b[2K');
      shown = '';
    },
  };
}
