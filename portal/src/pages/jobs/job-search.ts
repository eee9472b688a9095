import { type Job, type JobStatus, job, jobStatus } from '../../../../src/api/client/browser.ts';
import { filterText } from '../../api/filter-text.ts';
import { oneOf, textIn } from '../../parts/search.ts';

export type Operation = Job['properties']['operation'];
export const operations: readonly Operation[] = job.shape.properties.shape.operation.options;
export const statuses: readonly JobStatus[] = jobStatus.options;

/** How far back jobs are shown. */
export const periods = [
  ['24h', 'Last 24 hours', 24],
  ['7d', 'Last 7 days', 7 * 24],
  ['30d', 'Last 30 days', 30 * 24],
] as const;
export type Period = (typeof periods)[number][0];

/** Which jobs a list shows, as it stands in the address. */
export interface JobSearch {
  name?: string | undefined;
  status?: JobStatus | undefined;
  operation?: Operation | undefined;
  /** Absent: the last 24 hours. */
  period?: Period | 'all' | undefined;
}

export function readJobSearch(raw: Record<string, unknown>): JobSearch {
  return {
    name: textIn(raw, 'name'),
    status: oneOf(raw, 'status', statuses),
    operation: oneOf(raw, 'operation', operations),
    period: oneOf(raw, 'period', [...periods.map(([period]) => period), 'all']),
  };
}

/** The query that asks the service for them. */
export function jobQuery(search: JobSearch, vaultId: string | undefined, now = Date.now()) {
  const period = search.period ?? '24h';
  const hours = periods.find(([name]) => name === period)?.[2];
  // To the minute, so that the same list is asked for by the same words for a while.
  const minute = Math.floor(now / 60_000) * 60_000;
  return filterText({
    entityFriendlyName: search.name,
    status: search.status,
    operation: search.operation,
    startTime: hours === undefined ? undefined : new Date(minute - hours * 3_600_000).toISOString(),
    vaultId,
  });
}
