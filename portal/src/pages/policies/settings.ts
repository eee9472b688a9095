import type { Policy } from '../../../../src/api/client/browser.ts';
import { retentionWords, scheduleWords } from '../vaults/policy-words.ts';

/** What a policy says, setting by setting, in words. */
export function settingsOf(policy: Policy): [string, string][] {
  const { properties } = policy;
  const { weeklySchedule, monthlySchedule, yearlySchedule } = properties.retentionPolicy;
  return [
    ['Policy sub type', properties.policyType === 'V2' ? 'Enhanced' : 'Standard'],
    ['Schedule', scheduleWords(policy)],
    ['Time zone', properties.timeZone],
    ['Retention', retentionWords(policy)],
    ['Weekly points', weeklySchedule?.daysOfTheWeek.join(', ') ?? ''],
    ['Monthly points', monthlySchedule === undefined ? '' : daysWords(monthlySchedule)],
    [
      'Yearly points',
      yearlySchedule === undefined
        ? ''
        : `${daysWords(yearlySchedule)} of ${yearlySchedule.monthsOfYear.join(', ')}`,
    ],
    ['Instant restore', `${properties.instantRpRetentionRangeInDays} days`],
    [
      'Consistency type',
      properties.snapshotConsistencyType === 'OnlyCrashConsistent'
        ? 'Only crash consistent snapshot'
        : 'Application or file-system consistent snapshot',
    ],
  ];
}

function daysWords(rule: NonNullable<Policy['properties']['retentionPolicy']['monthlySchedule']>): string {
  const { retentionScheduleDaily: byDate, retentionScheduleWeekly: byWeek } = rule;
  if (byWeek !== undefined) return `${byWeek.weeksOfTheMonth.join(', ')} ${byWeek.daysOfTheWeek.join(', ')}`;
  const days = byDate?.daysOfTheMonth.map(({ date, isLast }) => (isLast ? 'last' : String(date))) ?? [];
  return `Day ${days.join(', ')}`;
}

/** The settings in which one policy is not as the other. */
export function changesBetween(
  before: Policy,
  after: Policy,
): { name: string; before: string; after: string }[] {
  const then = settingsOf(after);
  return settingsOf(before).flatMap(([name, was], index) => {
    const is = then[index]?.[1] ?? '';
    return was === is ? [] : [{ name, before: was || 'none', after: is || 'none' }];
  });
}
