/** Days as `<input type="date">` has them, `2026-11-21`, where the reader is. */

const two = (value: number) => String(value).padStart(2, '0');

export function dateIn(days: number, now = new Date()): string {
  const then = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())}`;
}

/** The last second of a day, in milliseconds since 1970; undefined where it is none. */
export function dayEnd(date: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(date) ?? [];
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const end = new Date(Number(year), Number(month) - 1, Number(day), 23, 59, 59).getTime();
  return Number.isNaN(end) ? undefined : end;
}
