import { displayWidth, type Look, paint, printable, type Tone } from './look.ts';

/** A text, or a text with a tone; the words say what the colour says. */
export type Cell = string | { text: string; tone: Tone | undefined };

export interface Column {
  header: string;
  align?: 'left' | 'right';
}

const gap = '  ';

/** Aligned columns under their headers, one line per row, no trailing blanks. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  look: Look,
): string {
  const cells = rows.map((row) => columns.map((_, i) => cellOf(row[i] ?? '')));
  const widths = columns.map(({ header }, i) =>
    Math.max(displayWidth(header), ...cells.map((row) => displayWidth(row[i]?.text ?? ''))),
  );
  const line = (row: readonly ReturnType<typeof cellOf>[]) =>
    row
      .map(({ text, tone }, i) => {
        const painted = paint(text, tone, look);
        const space = ' '.repeat((widths[i] ?? 0) - displayWidth(text));
        if (columns[i]?.align === 'right') return space + painted;
        return i === row.length - 1 ? painted : painted + space;
      })
      .join(gap)
      .trimEnd();
  const headers = columns.map(({ header }) => ({ text: header, tone: 'strong' as const }));
  return `${[headers, ...cells].map(line).join('\n')}\n`;
}

/** One thing: its facts under each other, the values aligned. Facts without a value are left out. */
export function formatFields(fields: readonly (readonly [string, Cell | undefined])[], look: Look): string {
  const known = fields.flatMap(([label, cell]) => (cell === undefined ? [] : [{ label, ...cellOf(cell) }]));
  const width = Math.max(0, ...known.map(({ label }) => displayWidth(label)));
  const lines = known.map(({ label, text, tone }) => {
    const space = ' '.repeat(width - displayWidth(label));
    return `${label}${space}${gap}${paint(text, tone, look)}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}

function cellOf(cell: Cell): { text: string; tone: Tone | undefined } {
  const { text, tone } = typeof cell === 'string' ? { text: cell, tone: undefined } : cell;
  return { text: printable(text), tone };
}
