import type { Job, JobStatus } from './shapes.ts';

/** Which jobs to list; all that is given must hold. */
export interface JobFilter {
  status?: JobStatus | undefined;
  operation?: Job['properties']['operation'] | undefined;
  /** Jobs that started at or after this moment. */
  startTime?: Date | undefined;
  /** Jobs that started at or before this moment. */
  endTime?: Date | undefined;
}

/** The `$filter` text, empty when nothing is asked for. */
export function jobFilter(filter: JobFilter): string {
  const conditions = [
    filter.status && `status eq '${filter.status}'`,
    filter.operation && `operation eq '${filter.operation}'`,
    filter.startTime && `startTime eq '${filterTime(filter.startTime)}'`,
    filter.endTime && `endTime eq '${filterTime(filter.endTime)}'`,
  ];
  return conditions.filter((condition) => condition !== undefined).join(' and ');
}

/** Azure's form of a time in a filter: UTC, 12-hour clock. */
function filterTime(time: Date): string {
  const [date = '', clock = ''] = time.toISOString().split('T');
  const hour = time.getUTCHours();
  const hour12 = String(hour % 12 === 0 ? 12 : hour % 12).padStart(2, '0');
  return `${date} ${hour12}${clock.slice(2, 8)} ${hour < 12 ? 'AM' : 'PM'}`;
}
