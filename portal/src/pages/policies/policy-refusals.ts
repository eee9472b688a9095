import { ApiError } from '../../../../src/api/client/browser.ts';

const schedule = 'properties.schedulePolicy';
const retention = 'properties.retentionPolicy';

/** Which parts of a policy each field of the editor stands for. */
const partsOf = {
  name: ['name'],
  policyType: ['properties.policyType', `${schedule}.schedulePolicyType`],
  frequency: [schedule],
  time: [
    `${schedule}.scheduleRunTimes`,
    `${schedule}.dailySchedule`,
    `${schedule}.weeklySchedule`,
    `${schedule}.hourlySchedule.scheduleWindowStartTime`,
  ],
  days: [`${schedule}.scheduleRunDays`, `${schedule}.weeklySchedule.scheduleRunDays`],
  intervalHours: [`${schedule}.hourlySchedule.interval`],
  windowHours: [`${schedule}.hourlySchedule.scheduleWindowDuration`],
  timeZone: ['properties.timeZone'],
  instantDays: ['properties.instantRpRetentionRangeInDays'],
  crashConsistent: ['properties.snapshotConsistencyType'],
  dailyCount: [`${retention}.dailySchedule`],
  weeklyCount: [`${retention}.weeklySchedule`],
  weeklyDays: [`${retention}.weeklySchedule.daysOfTheWeek`],
  monthlyCount: [`${retention}.monthlySchedule`],
  monthlyDays: monthDays('monthlySchedule'),
  yearlyCount: [`${retention}.yearlySchedule`],
  yearlyDays: monthDays('yearlySchedule'),
  yearlyMonths: [`${retention}.yearlySchedule.monthsOfYear`],
} as const satisfies Record<string, readonly string[]>;
export type PolicyField = keyof typeof partsOf;

function monthDays(rule: string) {
  return [
    `${retention}.${rule}.retentionScheduleFormatType`,
    `${retention}.${rule}.retentionScheduleDaily`,
    `${retention}.${rule}.retentionScheduleWeekly`,
  ];
}

/** What the service said of each field. */
export type FieldRefusals = Partial<Record<PolicyField, string>>;

/** What a refusal says of which field; a part that several fields would take goes to the one that names it most closely. */
export function fieldRefusals(error: unknown): FieldRefusals {
  const refusals: FieldRefusals = {};
  if (!(error instanceof ApiError)) return refusals;
  for (const { target, message } of error.details) {
    const field = fieldOf(target);
    if (field === undefined) continue;
    const sentence = message.charAt(0).toUpperCase() + message.slice(1);
    refusals[field] = refusals[field] === undefined ? sentence : `${refusals[field]} ${sentence}`;
  }
  return refusals;
}

/** Whether all that a refusal says stands at fields, so that it need not be said again. */
export const isToldByFields = (error: unknown): boolean =>
  error instanceof ApiError &&
  error.details.length > 0 &&
  error.details.every(({ target }) => fieldOf(target) !== undefined);

function fieldOf(target: string): PolicyField | undefined {
  let best: { field: PolicyField; length: number } | undefined;
  for (const [field, parts] of Object.entries(partsOf) as [PolicyField, readonly string[]][])
    for (const part of parts)
      if (isWithin(target, part) && part.length > (best?.length ?? 0)) best = { field, length: part.length };
  return best?.field;
}

const isWithin = (target: string, part: string) =>
  target === part || (target.startsWith(part) && /^[.[]/.test(target.slice(part.length)));
