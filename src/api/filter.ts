import { HoldfastError } from '../errors/index.ts';

/**
 * Parses the `$filter` grammar that Azure's backup clients use: `field eq 'value'` joined by `and`. Field names are
 * returned in lower case.
 * @throws InvalidInput for anything else, and for fields that are not in `allowed`
 */
export function parseFilter(text: string | undefined, allowed: readonly string[]): Map<string, string> {
  const result = new Map<string, string>();
  if (text === undefined || text.trim() === '') return result;
  const clause = /^\s*([A-Za-z]+)\s+eq\s+'((?:[^']|'')*)'\s*(?:$|(and)\s+)/i;
  const known = new Set(allowed.map((field) => field.toLowerCase()));
  let rest = text;
  for (let count = 0; rest !== '' && count < 32; count += 1) {
    const match = clause.exec(rest);
    const field = match?.[1]?.toLowerCase();
    if (match === null || field === undefined) break;
    if (!known.has(field)) {
      throw new HoldfastError('InvalidInput', `$filter: '${match[1]}' can't be filtered by here.`, {
        action: `Filter by ${allowed.join(', ')}.`,
      });
    }
    result.set(field, (match[2] ?? '').replaceAll("''", "'"));
    rest = rest.slice(match[0].length);
    if (rest === '' && match[3] === undefined) return result;
  }
  throw new HoldfastError('InvalidInput', `$filter: '${rest.slice(0, 80)}' is not understood.`, {
    action: "Write field eq 'value', joined by and.",
  });
}

/**
 * A moment as filters write it: ISO 8601, or Azure's `2026-11-21 03:04:05 PM` (UTC; the hour may be 00 to 12).
 * @throws InvalidInput
 */
export function parseMoment(text: string): string {
  const azure = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{2}):(\d{2})(?: ([AP])M)?$/i.exec(text.trim());
  try {
    if (azure === null) return Temporal.Instant.from(text).toString({ fractionalSecondDigits: 3 });
    const [, year, month, day, hour, minute, second, half] = azure;
    const hours =
      half === undefined ? Number(hour) : (Number(hour) % 12) + (half.toUpperCase() === 'P' ? 12 : 0);
    return Temporal.PlainDateTime.from(
      {
        year: Number(year),
        month: Number(month),
        day: Number(day),
        hour: hours,
        minute: Number(minute),
        second: Number(second),
      },
      { overflow: 'reject' },
    )
      .toZonedDateTime('UTC')
      .toInstant()
      .toString({ fractionalSecondDigits: 3 });
  } catch (error) {
    throw new HoldfastError('InvalidInput', `'${text}' is no time.`, {
      cause: error,
      action: 'Write it as 2026-11-21T15:04:05Z.',
    });
  }
}

/** Azure's words for what manages a backup and what is backed up; here, only those of VMs have any entries. */
export const backupManagementTypes = [
  'AzureIaasVM',
  'AzureBackupServer',
  'AzureSql',
  'AzureStorage',
  'AzureWorkload',
  'DefaultBackup',
  'DPM',
  'MAB',
];
export const itemTypes = [
  'VM',
  'AzureFileShare',
  'AzureSqlDb',
  'Client',
  'Exchange',
  'FileFolder',
  'GenericDataSource',
  'SAPAseDatabase',
  'SAPHanaDatabase',
  'SAPHanaDBInstance',
  'Sharepoint',
  'SQLDataBase',
  'SQLDB',
  'SystemState',
  'VMwareVM',
];

/**
 * One of the words that a field can have, in its own spelling, or undefined when the filter does not name the field.
 * @throws InvalidInput for any other word: it would find nothing for ever
 */
export function filterWord<Word extends string>(
  filter: ReadonlyMap<string, string>,
  field: string,
  words: readonly Word[],
): Word | undefined {
  const given = filter.get(field.toLowerCase());
  if (given === undefined) return undefined;
  const word = words.find((candidate) => candidate.toLowerCase() === given.toLowerCase());
  if (word !== undefined) return word;
  throw new HoldfastError('InvalidInput', `$filter: '${given}' is no ${field}.`, {
    action: `Use one of ${words.join(', ')}.`,
  });
}
