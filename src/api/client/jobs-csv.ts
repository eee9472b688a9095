import type { Job } from './shapes.ts';

/** A table of jobs, as spreadsheets read it: what `job export` prints, and what the API exports. */
const columns: readonly (readonly [header: string, cell: (job: Job) => string | undefined])[] = [
  ['Workload name', ({ properties }) => properties.entityFriendlyName],
  ['Operation', ({ properties }) => properties.operation],
  ['Status', ({ properties }) => properties.status],
  ['Start time', ({ properties }) => properties.startTime],
  ['End time', ({ properties }) => properties.endTime],
  ['Duration', ({ properties }) => properties.duration],
  ['Triggered by', ({ properties }) => (properties.isUserTriggered ? 'User' : 'Schedule')],
  ['Error code', ({ properties }) => properties.errorDetails?.[0]?.errorTitle],
  ['Error', ({ properties }) => properties.errorDetails?.[0]?.errorString],
  ['Recommended action', ({ properties }) => properties.errorDetails?.[0]?.recommendations.join(' ')],
  ['Job id', ({ name }) => name],
];

const line = (cells: readonly string[]) => `${cells.map(cellOf).join(',')}\r\n`;

/** RFC 4180; what a spreadsheet would take for a formula is marked as text. */
function cellOf(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

export const jobsCsvHeader = line(columns.map(([header]) => header));

export const jobsCsvLine = (job: Job): string => line(columns.map(([, cell]) => cell(job) ?? ''));
