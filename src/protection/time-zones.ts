import { WINDOWS_TO_IANA_MAP } from 'windows-iana';

/** Windows zone name in lower case -> IANA name. CLDR's territory 001 is the zone's own choice among its places. */
const ianaOfWindows: ReadonlyMap<string, string> = new Map(
  WINDOWS_TO_IANA_MAP.filter(({ territory }) => territory === '001').map(({ windowsName, iana }) => [
    windowsName.toLowerCase(),
    iana[0],
  ]),
);

/** Names of a policy's zone that were looked up; a service meets a handful. */
const known = new Map<string, string>();

/**
 * The IANA zone that a Windows or an IANA name means, whatever its case; undefined when it names none. An offset such
 * as `+02:00` is no named zone: it knows no daylight saving, and who writes one rarely means that.
 */
export function findTimeZone(name: string): string | undefined {
  const cached = known.get(name);
  if (cached !== undefined) return cached;
  const iana = ianaOfWindows.get(name.toLowerCase()) ?? name;
  if (!/^[A-Za-z]/.test(iana)) return undefined;
  try {
    const { timeZoneId } = new Temporal.ZonedDateTime(0n, iana);
    if (known.size < 1000) known.set(name, timeZoneId);
    return timeZoneId;
  } catch {
    return undefined;
  }
}

/**
 * The IANA zone of a policy's time zone.
 * @throws RangeError when the name means none: policies are checked before they are saved, so that is a bug
 */
export function timeZoneOf(timetable: { timeZone: string }): string {
  const zone = findTimeZone(timetable.timeZone);
  if (zone === undefined) throw new RangeError(`no time zone is called '${timetable.timeZone}'`);
  return zone;
}
