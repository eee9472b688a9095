import { type PolicyType, type Schedule, weekdays } from './policy.ts';
import { hourlyIntervals, latestWindowStart, windowHoursLimits } from './policy-limits.ts';
import {
  elementsOf,
  type Field,
  fieldsOf,
  integerOf,
  isAbsent,
  refuse,
  timeOfDayOf,
  wordOf,
  wordsOf,
} from './reading.ts';

/** Reads `schedulePolicy`. Undefined when something in it is wrong, which is noted then. */
export function readSchedule(field: Field, policyType: PolicyType): Schedule | undefined {
  const { path, value, problems } = field;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    // First: every other field of the other kind of schedule would be called wrong for this one reason.
    const [kind, why] = kinds[policyType];
    const given = (value as Record<string, unknown>).schedulePolicyType;
    if (wordOf({ path: `${path}.schedulePolicyType`, value: given, problems }, [kind], why) === undefined)
      return undefined;
  }
  return policyType === 'V1' ? readStandard(field) : readEnhanced(field);
}

const kinds = {
  V1: [
    'SimpleSchedulePolicy',
    'A Standard policy (policyType V1 or absent) has this kind of schedule; Enhanced policies (V2) have SimpleSchedulePolicyV2.',
  ],
  V2: ['SimpleSchedulePolicyV2', 'An Enhanced policy (policyType V2) has this kind of schedule.'],
} as const;

function readStandard(field: Field): Schedule | undefined {
  const at = fieldsOf(field, [
    'schedulePolicyType',
    'scheduleRunFrequency',
    'scheduleRunDays',
    'scheduleRunTimes',
    'scheduleWeeklyFrequency',
    'hourlySchedule',
  ]);
  if (at === undefined) return undefined;
  const frequency = wordOf(
    at.scheduleRunFrequency,
    ['Daily', 'Weekly'],
    'A Standard policy backs up once a day or on chosen weekdays; several times a day takes an Enhanced policy (policyType V2).',
  );
  refuseIfGiven(at.hourlySchedule, 'Several backups a day take an Enhanced policy (policyType V2).');
  if (!isAbsent(at.scheduleWeeklyFrequency))
    integerOf(at.scheduleWeeklyFrequency, 0, 0, 'A weekly schedule runs in every week.');
  return readDaysAndTime(frequency, at.scheduleRunDays, at.scheduleRunTimes);
}

function readEnhanced(field: Field): Schedule | undefined {
  const at = fieldsOf(field, [
    'schedulePolicyType',
    'scheduleRunFrequency',
    'hourlySchedule',
    'dailySchedule',
    'weeklySchedule',
  ]);
  if (at === undefined) return undefined;
  const frequency = wordOf(
    at.scheduleRunFrequency,
    ['Hourly', 'Daily', 'Weekly'],
    'An Enhanced policy backs up every few hours, every day or on chosen weekdays.',
  );
  if (frequency === undefined) return undefined;
  for (const [other, held] of [
    ['Hourly', at.hourlySchedule],
    ['Daily', at.dailySchedule],
    ['Weekly', at.weeklySchedule],
  ] as const) {
    if (other !== frequency) refuseIfGiven(held, `scheduleRunFrequency is ${frequency}.`);
  }
  if (frequency === 'Hourly') return readHourly(at.hourlySchedule);
  if (frequency === 'Daily') {
    const daily = fieldsOf(at.dailySchedule, ['scheduleRunTimes']);
    return daily && readDaysAndTime('Daily', undefined, daily.scheduleRunTimes);
  }
  const weekly = fieldsOf(at.weeklySchedule, ['scheduleRunDays', 'scheduleRunTimes']);
  return weekly && readDaysAndTime('Weekly', weekly.scheduleRunDays, weekly.scheduleRunTimes);
}

function readHourly(field: Field): Schedule | undefined {
  const at = fieldsOf(field, ['interval', 'scheduleWindowStartTime', 'scheduleWindowDuration']);
  if (at === undefined) return undefined;
  const intervalHours = hourlyIntervals.find((hours) => hours === at.interval.value);
  if (intervalHours === undefined)
    refuse(
      at.interval,
      isAbsent(at.interval) ? 'it is missing' : `${JSON.stringify(at.interval.value)} hours are not allowed`,
      hourlyIntervals.join(', '),
      'Intervals that divide the day keep the times of day the same on every day.',
    );
  const windowStart = timeOfDayOf(at.scheduleWindowStartTime);
  if (windowStart !== undefined && windowStart > latestWindowStart)
    refuse(
      at.scheduleWindowStartTime,
      `${windowStart} is too late`,
      `00:00 to ${latestWindowStart}`,
      'A window that starts later would have its shortest length of four hours mostly in the next day.',
    );
  const windowHours = integerOf(
    at.scheduleWindowDuration,
    windowHoursLimits.least,
    windowHoursLimits.most,
    'The window repeats every day.',
  );
  if (intervalHours === undefined || windowStart === undefined || windowHours === undefined) return undefined;
  if (windowHours < intervalHours)
    return refuse(
      at.scheduleWindowDuration,
      `a window of ${windowHours} hours has no room for a second backup after ${intervalHours} hours`,
      `${intervalHours} to ${windowHoursLimits.most}`,
      'For one backup a day there is the frequency Daily, which brings every point to the vault.',
    );
  return { frequency: 'Hourly', windowStart, intervalHours, windowHours };
}

function readDaysAndTime(
  frequency: 'Daily' | 'Weekly' | undefined,
  daysField: Field | undefined,
  timesField: Field,
): Schedule | undefined {
  const time = readOneTime(timesField);
  if (frequency === 'Daily') {
    if (daysField !== undefined) refuseIfGiven(daysField, 'A daily schedule runs on every day.');
    return time === undefined ? undefined : { frequency, time };
  }
  if (frequency === undefined || daysField === undefined) return undefined;
  const days = wordsOf(daysField, weekdays, 'A weekly schedule runs on the days that are named.');
  return days === undefined || time === undefined ? undefined : { frequency, days, time };
}

function readOneTime(field: Field): string | undefined {
  const why = 'A schedule has one time of day; for several backups a day there is the frequency Hourly.';
  const times = elementsOf(field, 'one date-time', why);
  const [first, ...more] = times ?? [];
  if (first === undefined) return undefined;
  if (more.length > 0) return refuse(field, `it names ${more.length + 1} times`, 'one date-time', why);
  return timeOfDayOf(first);
}

/** Notes a problem when a field is given that has no meaning beside the others. An empty list says nothing. */
function refuseIfGiven(field: Field, why: string): void {
  if (isAbsent(field) || (Array.isArray(field.value) && field.value.length === 0)) return;
  refuse(field, 'it has no place here', 'nothing: leave it out', why);
}
