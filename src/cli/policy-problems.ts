import { ApiError } from '../api/client/index.ts';
import { headOf } from './failure.ts';
import type { PolicyFlags } from './policy-flags.ts';

/** Where the document of a policy has what an option says; of several that fit, the first that was given. */
const places: readonly (readonly [pattern: RegExp, key: keyof PolicyFlags, option: string])[] = [
  [/^policyType$/, 'type', '--type'],
  [/^schedulePolicy\.schedulePolicyType/, 'every', '--every'],
  [/^schedulePolicy\.schedulePolicyType/, 'type', '--type'],
  [/^schedulePolicy\..*scheduleRunTimes/, 'at', '--at'],
  [/^schedulePolicy\..*scheduleRunDays/, 'on', '--on'],
  [/^schedulePolicy\.hourlySchedule\.interval/, 'every', '--every'],
  [/^schedulePolicy\.hourlySchedule\.scheduleWindowStartTime/, 'from', '--from'],
  [/^schedulePolicy\.hourlySchedule\.scheduleWindowDuration/, 'for', '--for'],
  [/^timeZone/, 'timeZone', '--time-zone'],
  [/^instantRpRetentionRangeInDays/, 'snapshotDays', '--snapshot-days'],
  [/^retentionPolicy\.dailySchedule/, 'keepDays', '--keep-days'],
  [/^retentionPolicy\.weeklySchedule\.daysOfTheWeek/, 'weeklyOn', '--weekly-on'],
  [/^retentionPolicy\.weeklySchedule\.daysOfTheWeek/, 'on', '--on'],
  [/^retentionPolicy\.weeklySchedule/, 'keepWeeks', '--keep-weeks'],
  [/^retentionPolicy\.monthlySchedule\.retentionSchedule/, 'monthlyOn', '--monthly-on'],
  [/^retentionPolicy\.monthlySchedule/, 'keepMonths', '--keep-months'],
  [/^retentionPolicy\.yearlySchedule\.monthsOfYear/, 'yearlyIn', '--yearly-in'],
  [/^retentionPolicy\.yearlySchedule\.retentionSchedule/, 'yearlyOn', '--yearly-on'],
  [/^retentionPolicy\.yearlySchedule/, 'keepYears', '--keep-years'],
  [/^snapshotConsistencyType/, 'crashConsistent', '--crash-consistent'],
];

/**
 * The option that set a field of a policy's document, or else the one that would; the field's own path where none is about
 * it, or no option made the policy, but a file.
 */
export function optionFor(path: string, flags: PolicyFlags): string {
  const inside = path.replace(/^properties\./, '');
  const isOfOptions = places.some(([, key]) => flags[key] !== undefined);
  const about = places.filter(([pattern]) => pattern.test(inside));
  const found = about.find(([, key]) => flags[key] !== undefined) ?? (isOfOptions ? about[0] : undefined);
  return found === undefined ? path : found[2];
}

/** What the service says of a policy that options made: told of the options, where they are what is wrong. */
export async function namingOptions<T>(flags: PolicyFlags, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ApiError) || error.details.length === 0) throw error;
    const details = error.details.map(({ target, message }) => ({
      target: optionFor(target, flags),
      message,
    }));
    const { code, message, status, action, requestId, body } = error;
    throw new ApiError(code, headOf(message, error.details), { status, action, requestId, body, details });
  }
}
