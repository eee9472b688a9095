/** A month as `YYYY-MM`, and the days of its weeks, which begin on Sunday. */

const monthOf = (date: Date) => date.toISOString().slice(0, 7);
const start = (month: string) => new Date(`${month}-01T00:00:00Z`);
const dayMs = 86_400_000;

/** The month of a moment, in UTC. */
export const currentMonth = (now = Date.now()): string => monthOf(new Date(now));

export function monthAfter(month: string, count = 1): string {
  const date = start(month);
  date.setUTCMonth(date.getUTCMonth() + count);
  return monthOf(date);
}

/** Its days as `YYYY-MM-DD`, in weeks; undefined where a week is another month's. */
export function weeksOfMonth(month: string): (string | undefined)[][] {
  const first = start(month);
  const length = (start(monthAfter(month)).getTime() - first.getTime()) / dayMs;
  const cells: (string | undefined)[] = Array.from({ length: first.getUTCDay() }, () => undefined);
  for (let day = 1; day <= length; day++) cells.push(`${month}-${String(day).padStart(2, '0')}`);
  while (cells.length % 7 !== 0) cells.push(undefined);
  return Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7));
}

/** What the service is asked about: the month, wherever in the world its days begin and end. */
export const spanOfMonth = (month: string) => ({
  from: new Date(start(month).getTime() - 2 * dayMs).toISOString(),
  to: new Date(start(monthAfter(month)).getTime() + 2 * dayMs).toISOString(),
});

const name = new Intl.DateTimeFormat(undefined, { month: 'long', year: 'numeric', timeZone: 'UTC' });
export const monthName = (month: string): string => name.format(start(month));
