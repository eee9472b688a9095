import { styleText } from 'node:util';
import type { CliIo, Output } from './io.ts';

/** How text may look where it goes. */
export interface Look {
  color: boolean;
  /** Whether characters beyond ASCII are shown as such. */
  unicode: boolean;
  /** Whether what was written can be drawn over. */
  live: boolean;
  /** Width of the terminal; undefined where there is none. */
  columns: number | undefined;
  timeZone: string;
}

/** Colour and redrawing only on a terminal that does both; https://no-color.org switches colour off. */
export function lookOf(io: CliIo, output: Output): Look {
  const terminal = output.isTTY === true && io.env.TERM !== 'dumb';
  const locale = io.env.LC_ALL || io.env.LC_CTYPE || io.env.LANG || '';
  return {
    color: terminal && !io.env.NO_COLOR,
    unicode: /utf-?8/i.test(locale),
    live: terminal,
    // A terminal that does not tell its width (0 is one way not to) is taken for the classic one.
    columns: output.isTTY === true ? output.columns || 80 : undefined,
    timeZone: io.timeZone ?? Temporal.Now.timeZoneId(),
  };
}

export type Tone = 'good' | 'warning' | 'bad' | 'dim' | 'strong';

const formats = { good: 'green', warning: 'yellow', bad: 'red', dim: 'dim', strong: 'bold' } as const;

/** Colours a text. The words must say the same without it. */
export function paint(text: string, tone: Tone | undefined, look: Pick<Look, 'color'>): string {
  return tone === undefined || !look.color ? text : styleText(formats[tone], text, { validateStream: false });
}

/** Text from elsewhere (names, messages) made harmless: no control characters that a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

/** Columns a text takes on a terminal: none for combining marks, two for wide characters. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text)
    if (!/\p{Mn}|\p{Me}|\p{Cf}/u.test(character)) width += wide.test(character) ? 2 : 1;
  return width;
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
