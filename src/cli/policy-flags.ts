import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { Policy } from '../api/client/index.ts';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { parseCount, parsePositive } from './parse.ts';

/** A policy as options of a command line say it. */
export interface PolicyFlags {
  file?: string;
  type?: 'standard' | 'enhanced';
  at?: string;
  on?: string[];
  every?: number;
  from?: string;
  for?: number;
  timeZone?: string;
  snapshotDays?: number;
  keepDays?: number;
  keepWeeks?: number;
  weeklyOn?: string[];
  keepMonths?: number;
  monthlyOn?: string[];
  keepYears?: number;
  yearlyOn?: string[];
  yearlyIn?: string[];
  crashConsistent?: boolean;
}

/** Options that describe a policy. */
export function withPolicyFlags(command: Command): Command {
  return command
    .option(
      '--file <path>',
      "the policy as Azure's JSON document, or its properties alone; - is standard input",
    )
    .addOption(
      new Option('--type <type>', 'kind of a new policy; default: enhanced').choices([
        'standard',
        'enhanced',
      ]),
    )
    .option('--at <time>', 'time of day of the backup, HH:MM')
    .option('--on <days...>', 'weekly on these days (sunday ...) instead of daily')
    .option('--every <hours>', 'several backups a day, so many hours apart: 4, 6, 8, 12 or 24', parsePositive)
    .option('--from <time>', 'with --every: when the first is due, HH:MM; default: 08:00')
    .option('--for <hours>', 'with --every: how long after it; default: 24', parsePositive)
    .option('--time-zone <name>', 'IANA or Windows name; default for a new policy: UTC')
    .option('--snapshot-days <n>', 'days that snapshots stay on the host', parsePositive)
    .option('--keep-days <n>', 'days that the vault keeps every day; 0: no such rule', parseCount)
    .option('--keep-weeks <n>', 'weeks that it keeps the days of --weekly-on; 0: no such rule', parseCount)
    .option('--weekly-on <days...>', 'default: the days of a weekly schedule')
    .option('--keep-months <n>', 'months that it keeps the days of --monthly-on; 0: no such rule', parseCount)
    .option('--monthly-on <days...>', 'days of a month: 1 15 last, or first-sunday last-friday')
    .option('--keep-years <n>', 'years that it keeps the days of --yearly-on; 0: no such rule', parseCount)
    .option('--yearly-on <days...>', 'as --monthly-on, of the months of --yearly-in')
    .option('--yearly-in <months...>', 'january ...')
    .option('--crash-consistent', 'never freeze the guest (Enhanced policies)')
    .option('--no-crash-consistent', 'freeze the guest again');
}

/** Whether anything of a policy is said. */
export function saysSomething(flags: PolicyFlags): boolean {
  return Object.keys(flags).some((key) => (policyKeys as readonly string[]).includes(key));
}

const policyKeys = [
  'file',
  'type',
  'at',
  'on',
  'every',
  'from',
  'for',
  'timeZone',
  'snapshotDays',
  'keepDays',
  'keepWeeks',
  'weeklyOn',
  'keepMonths',
  'monthlyOn',
  'keepYears',
  'yearlyOn',
  'yearlyIn',
  'crashConsistent',
] as const satisfies readonly (keyof PolicyFlags)[];

/**
 * The `properties` of a policy: those of a file, or what the options make of those before. What is wrong with them is
 * the service's to say.
 * @throws InvalidInput for a file that is no JSON, InvalidCommandLine where options contradict each other or say too little
 */
export async function policyProperties(
  flags: PolicyFlags,
  before?: Policy['properties'],
): Promise<Record<string, unknown>> {
  if (flags.file === undefined) return propertiesFrom(flags, before);
  const other = policyKeys.find((key) => key !== 'file' && flags[key] !== undefined);
  if (other !== undefined)
    throw new HoldfastError(
      'InvalidCommandLine',
      'A policy is given by --file or by other options, not by both.',
    );
  return readDocument(flags.file);
}

const longestDocument = 1024 * 1024;

async function readDocument(path: string): Promise<Record<string, unknown>> {
  const refuse = (why: string, cause?: unknown) =>
    new HoldfastError('InvalidInput', `${path} ${why}.`, { target: path, cause });
  const text = await readFile(path === '-' ? '/dev/stdin' : path, 'utf8').catch((error: unknown) => {
    throw refuse(`cannot be read: ${messageOf(error)}`, error);
  });
  if (text.length > longestDocument) throw refuse('is too large to be a policy');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`is no JSON: ${messageOf(error)}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse('holds no JSON object');
  const { properties } = value as { properties?: unknown };
  return (typeof properties === 'object' && properties !== null ? properties : value) as Record<
    string,
    unknown
  >;
}

function propertiesFrom(
  flags: PolicyFlags,
  before: Policy['properties'] | undefined,
): Record<string, unknown> {
  const type = typeFrom(flags, before);
  const schedule = scheduleFrom(flags, before, type);
  const days = flags.snapshotDays ?? before?.instantRpRetentionRangeInDays;
  const crash = flags.crashConsistent ?? before?.snapshotConsistencyType !== undefined;
  return {
    backupManagementType: 'AzureIaasVM',
    policyType: type,
    timeZone: flags.timeZone ?? before?.timeZone ?? 'UTC',
    schedulePolicy: schedule.document,
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      ...rulesFrom(flags, before?.retentionPolicy, schedule.days),
    },
    ...(days !== undefined && { instantRpRetentionRangeInDays: days }),
    ...(crash && { snapshotConsistencyType: 'OnlyCrashConsistent' }),
  };
}

function typeFrom({ type }: PolicyFlags, before: Policy['properties'] | undefined): 'V1' | 'V2' {
  if (type === undefined) return before?.policyType ?? 'V2';
  const wanted = type === 'standard' ? 'V1' : 'V2';
  if (before !== undefined && wanted !== (before.policyType ?? 'V1'))
    throw new HoldfastError(
      'UserErrorPolicyTypeChangeNotAllowed',
      `The policy is ${wanted === 'V1' ? 'an Enhanced' : 'a Standard'} one; --type is for new policies.`,
      {
        action:
          wanted === 'V1'
            ? 'Create a Standard policy under another name for VMs that have never been under an Enhanced one.'
            : 'Create an Enhanced policy under another name, and change each VM to it with "holdfast item update".',
      },
    );
  return wanted;
}

const dateTime = (time: string) => `2020-01-01T${time}:00Z`;

/** @returns `days`: of a weekly schedule */
function scheduleFrom(
  flags: PolicyFlags,
  before: Policy['properties'] | undefined,
  type: 'V1' | 'V2',
): { document: object; days?: readonly string[] | undefined } {
  const known = before && scheduleOf(before);
  if (flags.every !== undefined) {
    if (flags.at !== undefined || flags.on !== undefined)
      throw new HoldfastError(
        'InvalidCommandLine',
        '--every goes with --from and --for, not with --at or --on.',
      );
    return {
      document: {
        schedulePolicyType: 'SimpleSchedulePolicyV2',
        scheduleRunFrequency: 'Hourly',
        hourlySchedule: {
          interval: flags.every,
          scheduleWindowStartTime: dateTime(flags.from ?? '08:00'),
          scheduleWindowDuration: flags.for ?? 24,
        },
      },
    };
  }
  if (flags.from !== undefined || flags.for !== undefined)
    throw new HoldfastError('InvalidCommandLine', '--from and --for go with --every.');
  if (flags.at === undefined && flags.on === undefined && before !== undefined)
    return { document: before.schedulePolicy, days: known?.days };
  const days = flags.on ?? known?.days;
  const times = flags.at === undefined ? known?.times : [dateTime(flags.at)];
  if (times === undefined)
    throw new HoldfastError('InvalidCommandLine', 'It is not said when to back up.', {
      action: 'Give --at HH:MM, with --on DAYS for a weekly schedule, or --every HOURS.',
    });
  const frequency = days === undefined ? 'Daily' : 'Weekly';
  if (type === 'V1')
    return {
      days,
      document: {
        schedulePolicyType: 'SimpleSchedulePolicy',
        scheduleRunFrequency: frequency,
        ...(days && { scheduleRunDays: days }),
        scheduleRunTimes: times,
      },
    };
  return {
    days,
    document: {
      schedulePolicyType: 'SimpleSchedulePolicyV2',
      scheduleRunFrequency: frequency,
      ...(days === undefined
        ? { dailySchedule: { scheduleRunTimes: times } }
        : { weeklySchedule: { scheduleRunDays: days, scheduleRunTimes: times } }),
    },
  };
}

/** When a daily or weekly policy backs up; nothing of an hourly one. */
function scheduleOf({ schedulePolicy: schedule }: Policy['properties']): {
  times?: string[];
  days?: string[];
} {
  if (schedule.schedulePolicyType === 'SimpleSchedulePolicy')
    return {
      times: schedule.scheduleRunTimes,
      ...(schedule.scheduleRunDays?.length ? { days: schedule.scheduleRunDays } : {}),
    };
  const { weeklySchedule: weekly, dailySchedule: daily } = schedule;
  if (weekly !== undefined) return { times: weekly.scheduleRunTimes, days: weekly.scheduleRunDays };
  return daily === undefined ? {} : { times: daily.scheduleRunTimes };
}

type Rules = Policy['properties']['retentionPolicy'];

function rulesFrom(
  flags: PolicyFlags,
  before: Rules | undefined,
  scheduleDays: readonly string[] | undefined,
) {
  const rule = (
    name: string,
    unit: string,
    count: number | undefined,
    had: object | undefined,
    on: object,
  ) => {
    if (count === 0) return {};
    const { retentionTimes: _, ...kept } = (had ?? {}) as { retentionTimes?: unknown };
    if (had === undefined && count === undefined) {
      if (Object.keys(on).length === 0) return {};
      throw new HoldfastError('InvalidCommandLine', `It is not said how many ${unit.toLowerCase()} to keep.`);
    }
    const duration = count === undefined ? {} : { retentionDuration: { count, durationType: unit } };
    return { [name]: { ...kept, ...duration, ...on } };
  };
  const weeklyOn =
    flags.weeklyOn ?? (flags.keepWeeks || flags.on ? (scheduleDays ?? flags.weeklyOn) : undefined);
  const weekly = weeklyOn === undefined ? {} : { daysOfTheWeek: weeklyOn };
  const hasWeekly = flags.keepWeeks !== undefined || before?.weeklySchedule !== undefined || flags.weeklyOn;
  return {
    ...rule('dailySchedule', 'Days', flags.keepDays, before?.dailySchedule, {}),
    ...rule('weeklySchedule', 'Weeks', flags.keepWeeks, before?.weeklySchedule, hasWeekly ? weekly : {}),
    ...rule('monthlySchedule', 'Months', flags.keepMonths, before?.monthlySchedule, daysOf(flags.monthlyOn)),
    ...rule('yearlySchedule', 'Years', flags.keepYears, before?.yearlySchedule, {
      ...daysOf(flags.yearlyOn),
      ...(flags.yearlyIn && { monthsOfYear: flags.yearlyIn }),
    }),
  };
}

/** Days of a month in either of Azure's two formats. */
function daysOf(words: readonly string[] | undefined): object {
  if (words === undefined) return {};
  const named = words.map((word) => /^(first|second|third|fourth|last)-([a-z]+)$/i.exec(word));
  if (named.every((match) => match !== null)) {
    const unique = (index: number) => [...new Set(named.map((match) => match?.[index]?.toLowerCase() ?? ''))];
    const [weeks, weekdays] = [unique(1), unique(2)];
    // The document names weeks and weekdays apart, and means each with each.
    if (weeks.length * weekdays.length !== new Set(words.map((word) => word.toLowerCase())).size)
      throw new HoldfastError(
        'InvalidCommandLine',
        `${words.join(' ')}: each of the weeks goes with each of the weekdays.`,
      );
    return {
      retentionScheduleFormatType: 'Weekly',
      retentionScheduleWeekly: { daysOfTheWeek: weekdays, weeksOfTheMonth: weeks },
      retentionScheduleDaily: null,
    };
  }
  const dates = words.map((word) => (/^last$/i.test(word) ? { date: 0, isLast: true } : dateOf(word)));
  return {
    retentionScheduleFormatType: 'Daily',
    retentionScheduleDaily: { daysOfTheMonth: dates },
    retentionScheduleWeekly: null,
  };
}

function dateOf(word: string): { date: number; isLast: boolean } {
  if (/^\d{1,2}$/.test(word)) return { date: Number(word), isLast: false };
  throw new HoldfastError('InvalidCommandLine', `'${word}' is no day of a month here.`, {
    action:
      'Write days by number (1 15 last), or all of them as weekdays of a week (first-sunday last-friday).',
  });
}
