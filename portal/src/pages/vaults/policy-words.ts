import type { Policy } from '../../../../src/api/client/browser.ts';

/** The wall-clock part of a schedule's time: the date in it says nothing, nor does its Z. */
const clockOf = (time: string) => /T(\d{2}:\d{2})/.exec(time)?.[1] ?? time;
const clocks = (times: readonly string[]) => times.map(clockOf).join(', ');

/** When a policy backs up, in a sentence: `Every day at 02:00, Europe/Berlin`. */
export function scheduleWords({ properties: { schedulePolicy: schedule, timeZone } }: Policy): string {
  if (schedule.schedulePolicyType === 'SimpleSchedulePolicy') {
    const days = schedule.scheduleRunFrequency === 'Weekly' ? schedule.scheduleRunDays : undefined;
    return `${everyDay(days)} at ${clocks(schedule.scheduleRunTimes)}, ${timeZone}`;
  }
  if (schedule.hourlySchedule !== undefined) {
    const {
      interval,
      scheduleWindowStartTime: start,
      scheduleWindowDuration: hours,
    } = schedule.hourlySchedule;
    return `Every ${interval} hours for ${hours} hours from ${clockOf(start)}, ${timeZone}`;
  }
  const { weeklySchedule: weekly, dailySchedule: daily } = schedule;
  const times = weekly?.scheduleRunTimes ?? daily?.scheduleRunTimes ?? [];
  return `${everyDay(weekly?.scheduleRunDays)} at ${clocks(times)}, ${timeZone}`;
}

const everyDay = (days: readonly string[] | undefined) =>
  days === undefined ? 'Every day' : `Every ${days.join(', ')}`;

/** How long a policy keeps points: `30 days, 12 weeks`. */
export function retentionWords({ properties: { retentionPolicy } }: Policy): string {
  const { dailySchedule, weeklySchedule, monthlySchedule, yearlySchedule } = retentionPolicy;
  return [dailySchedule, weeklySchedule, monthlySchedule, yearlySchedule]
    .flatMap((rule) =>
      rule === undefined
        ? []
        : [`${rule.retentionDuration.count} ${rule.retentionDuration.durationType.toLowerCase()}`],
    )
    .join(', ');
}
