import { WINDOWS_TO_IANA_MAP } from 'windows-iana';

/** The names that a policy's time zone may have, Windows' and IANA's, for the list that the field proposes. */
export const timeZoneNames: readonly string[] = [
  'UTC',
  ...[...new Set(WINDOWS_TO_IANA_MAP.map(({ windowsName }) => windowsName))].filter((name) => name !== 'UTC'),
  ...Intl.supportedValuesOf('timeZone'),
];
