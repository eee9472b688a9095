/** What stands where nothing is known. */
export const nothing = '-';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes with the unit that leaves one to four digits: `512 B`, `1.5 GiB`. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return nothing;
  let value = bytes;
  let unit = 0;
  // What would round to 1024.0 belongs to the next unit.
  while (Math.round(value * 10) >= 10_240 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A duration in its two largest units: `4.2 s`, `1 min 5 s`, `2 h 3 min`. */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined) return nothing;
  if (seconds < 9.95) return `${Number(Math.max(seconds, 0).toFixed(1))} s`;
  const whole = Math.round(seconds);
  const pair = (size: number, name: string, rest: number, restName: string) => {
    const left = Math.floor((whole % size) / rest);
    return `${Math.floor(whole / size)} ${name}${left === 0 ? '' : ` ${left} ${restName}`}`;
  };
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(60, 'min', 1, 's');
  if (whole < 86_400) return pair(3600, 'h', 60, 'min');
  return pair(86_400, 'd', 3600, 'h');
}

/** A time that is yet to pass, no more exact than an estimate is: `about 12 s`, `about 4 min`. Undefined if unknown. */
export function formatEstimate(seconds: number | undefined): string | undefined {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return undefined;
  if (seconds < 60) return `about ${Math.max(Math.ceil(seconds), 1)} s`;
  if (seconds < 3570) return `about ${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 600) * 10;
  return `about ${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** Beyond this, the date says more than the distance. */
const relativeBoundMs = 48 * 3600 * 1000;

/** Local time with its zone, and the distance while it is short: `2026-11-21 06:44 CET (5 min ago)`. */
export function formatTime(iso: string | undefined, timeZone: string, now: number): string {
  const at = iso === undefined ? Number.NaN : Date.parse(iso);
  // Azure writes the year 1 for "never".
  if (Number.isNaN(at) || at <= 0) return nothing;
  const distance = Math.abs(now - at);
  if (distance > relativeBoundMs) return formatMoment(at, timeZone);
  const span = formatDistance(distance / 1000);
  const relative = distance < 60_000 ? 'just now' : at <= now ? `${span} ago` : `in ${span}`;
  return `${formatMoment(at, timeZone)} (${relative})`;
}

function formatDistance(seconds: number): string {
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function formatMoment(at: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  }).formatToParts(at);
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')} ${part('timeZoneName')}`;
}

/** Seconds of an ISO 8601 span (`PT1H1M12.06S`); undefined if it is none. */
export function spanSeconds(iso: string | undefined): number | undefined {
  if (iso === undefined) return undefined;
  try {
    return Temporal.Duration.from(iso).total('seconds');
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** `1 disk`, `2 disks`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
