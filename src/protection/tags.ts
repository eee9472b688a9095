import { type DaysOfMonth, type Month, months, type RetentionRules, type WeekOfMonth } from './policy.ts';
import { weekdayOf } from './schedule.ts';

/** The retention rules that can mark a point, from the shortest-lived by nature to the longest. */
export const retentionTags = ['Daily', 'Weekly', 'Monthly', 'Yearly'] as const;
export type RetentionTag = (typeof retentionTags)[number];

/** The rules that mark the backup of a day on the calendar of the policy's zone. */
export function tagsOn(retention: RetentionRules, date: Temporal.PlainDate): RetentionTag[] {
  const { daily, weekly, monthly, yearly } = retention;
  const tags: RetentionTag[] = [];
  if (daily !== undefined) tags.push('Daily');
  if (weekly?.days.includes(weekdayOf(date))) tags.push('Weekly');
  if (monthly !== undefined && isDayOfMonth(monthly.on, date)) tags.push('Monthly');
  if (yearly?.months.includes(monthOf(date)) && isDayOfMonth(yearly.on, date)) tags.push('Yearly');
  return tags;
}

const monthOf = (date: Temporal.PlainDate) => months[date.month - 1] as Month;

function isDayOfMonth(on: DaysOfMonth, date: Temporal.PlainDate): boolean {
  if (on.format === 'Daily')
    return on.days.includes(date.day) || (on.lastDay && date.day === date.daysInMonth);
  return on.weekdays.includes(weekdayOf(date)) && on.weeks.some((week) => isInWeek(week, date));
}

/**
 * Whether the date is its weekday's first, second, third, fourth or last one of the month: "first Sunday" is the first
 * Sunday there is, in whichever calendar week. The fifth one, where there is one, is the last; where there are four,
 * the last is the fourth too.
 */
function isInWeek(week: WeekOfMonth, date: Temporal.PlainDate): boolean {
  if (week === 'Last') return date.day > date.daysInMonth - 7;
  const nth = { First: 1, Second: 2, Third: 3, Fourth: 4 }[week];
  return Math.ceil(date.day / 7) === nth;
}
