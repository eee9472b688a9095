import { formatRelative, formatTime, formatTimeWithZone } from './format.ts';

interface TimeProps {
  /** ISO 8601. */
  at: string;
  /** Show how long ago or ahead; the moment itself is then in the tooltip. */
  relative?: boolean;
}

/** A moment where the reader is; its tooltip names the time zone. */
export function Time({ at, relative = false }: TimeProps) {
  return (
    <time dateTime={at} title={formatTimeWithZone(at)}>
      {relative ? formatRelative(at) : formatTime(at)}
    </time>
  );
}
