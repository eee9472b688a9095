import { InvalidArgumentError } from 'commander';

const spanUnits: Record<string, number> = { min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment in the past: a span back from now (`90min`, `24h`, `7d`), or what {@link parseMoment} takes. */
export function parseSince(text: string, now: number, timeZone: string): Date {
  const [, digits, unit] = /^(\d{1,6})(min|h|d)$/.exec(text) ?? [];
  if (digits !== undefined && unit !== undefined)
    return new Date(now - Number(digits) * (spanUnits[unit] ?? 0));
  try {
    return parseMoment(text, timeZone, 'start');
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(
      `${error.message.replace(/\.$/, '')}, or a span back from now (90min, 24h, 7d).`,
    );
  }
}

/** A date, of which the start or the end is meant, or a date and time, with an offset or in local time. */
export function parseMoment(text: string, timeZone: string, edge: 'start' | 'end'): Date {
  try {
    if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
      const date = Temporal.PlainDate.from(text);
      const midnight = (edge === 'end' ? date.add({ days: 1 }) : date).toZonedDateTime(timeZone);
      return new Date(midnight.epochMilliseconds - (edge === 'end' ? 1000 : 0));
    }
    if (/(Z|[+-]\d{2}:?\d{2})$/i.test(text)) return new Date(Temporal.Instant.from(text).epochMilliseconds);
    return new Date(Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone).epochMilliseconds);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InvalidArgumentError('It takes a date (2026-12-31) or a date and time (2026-12-31T18:00).');
  }
}

/** A whole number of at least 1. */
export function parsePositive(text: string): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError('It takes a whole number above 0.');
}

/** A whole number of at least 0. */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It takes a whole number, 0 or more.');
}

/** `key=value`, collected over several uses. */
export function parseTag(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It takes KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A directory on a host, which may be another machine: the working directory here means nothing there. */
export function parseDirectory(text: string): string {
  if (text.startsWith('/')) return text;
  throw new InvalidArgumentError("It takes an absolute directory (on the VM's host).");
}

const rateUnits: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes in a second, with a binary unit (`20M`), or `none`. */
export function parseRate(text: string): number | 'none' {
  if (text === 'none') return text;
  const [, digits, unit = ''] = /^(\d{1,9})([KMG]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * (rateUnits[unit.toUpperCase()] ?? 0);
  if (digits !== undefined && bytes >= 1024 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('It takes bytes in a second, 1K at least: 500K, 20M, 1G, or none.');
}

/** Where a store is: an absolute directory of the service's machine, or an address of object storage. */
export function parsePlace(text: string): string {
  if (text.startsWith('/') || /^(s3|azblob):\/\//.test(text)) return text;
  throw new InvalidArgumentError(
    "It takes an absolute directory (on the service's machine), s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX.",
  );
}
