import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { type Job, job as jobShape } from '../../../src/api/client/browser.ts';
import { client } from './client.ts';
import { keys } from './keys.ts';

export type Liveness = 'connecting' | 'live' | 'interrupted';

/** Changes come in bursts; what they make stale is asked for again this long after the first. */
const gatherMs = 700;

/** Between tries to connect, the first time and at most. */
const firstRetryMs = 1_000;
const maxRetryMs = 30_000;

let liveness: Liveness = 'connecting';
const listeners = new Set<() => void>();
const jobListeners = new Set<(job: Job) => void>();

function setLiveness(next: Liveness): void {
  if (liveness === next) return;
  liveness = next;
  for (const listener of listeners) listener();
}

export function useLiveness(): Liveness {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => liveness,
  );
}

/** Calls `listener` with every job that changes, for as long as the result is not called. */
export function onJobChange(listener: (job: Job) => void): () => void {
  jobListeners.add(listener);
  return () => jobListeners.delete(listener);
}

/** Listens to the service's changes for as long as the component that uses it is there, and keeps what is shown fresh. */
export function useLiveUpdates(): void {
  const queries = useQueryClient();
  useEffect(() => listen(queries), [queries]);
}

function listen(queries: QueryClient): () => void {
  const stale = new Set<string>();
  let gathering: number | undefined;
  let retry: number | undefined;
  let retryMs = firstRetryMs;
  let source: EventSource | undefined;
  let ended = false;
  let missed = false;

  const refresh = (...kinds: string[]) => {
    for (const kind of kinds) stale.add(kind);
    gathering ??= window.setTimeout(() => {
      gathering = undefined;
      const wanted = new Set(stale);
      stale.clear();
      void queries.invalidateQueries({ predicate: ({ queryKey }) => wanted.has(String(queryKey[0])) });
    }, gatherMs);
  };
  const takeJob = (data: unknown) => {
    const parsed = jobShape.safeParse(data);
    if (!parsed.success) return;
    queries.setQueryData(keys.job(parsed.data.name), data as Job);
    for (const listener of jobListeners) listener(data as Job);
    refresh('jobs', 'overview');
    // A job that has ended has changed what it was about.
    if (parsed.data.properties.endTime !== undefined)
      refresh('job', 'items', 'points', 'vaults', 'machines', 'stores', 'policies');
  };

  const connect = async () => {
    const url = await client.estate.events().catch(() => undefined);
    if (ended) return;
    if (url === undefined) return again();
    source = new EventSource(url);
    source.addEventListener('snapshot', (event) => {
      retryMs = firstRetryMs;
      // Whatever changed while nobody listened.
      if (missed) void queries.invalidateQueries();
      missed = false;
      setLiveness('live');
      const { jobs } = JSON.parse(event.data) as { jobs: unknown[] };
      for (const job of jobs) takeJob(job);
    });
    source.addEventListener('job', (event) => takeJob(JSON.parse(event.data)));
    source.addEventListener('item', () => refresh('items', 'overview', 'machines'));
    source.addEventListener('alert', () => refresh('alerts', 'overview'));
    // A browser does not connect again by itself where it was refused, nor with any patience.
    source.addEventListener('error', () => {
      source?.close();
      again();
    });
  };
  const again = () => {
    if (ended) return;
    // The service ends each stream after a while; that nobody needs to see.
    if (missed) setLiveness('interrupted');
    missed = true;
    // While it lasts, what is shown is asked for again at each try.
    refresh('jobs', 'job', 'items', 'alerts', 'overview');
    window.clearTimeout(retry);
    retry = window.setTimeout(() => void connect(), retryMs);
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  };

  void connect();
  return () => {
    ended = true;
    source?.close();
    window.clearTimeout(retry);
    window.clearTimeout(gathering);
    setLiveness('connecting');
  };
}
