import type { FastifyRequest } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import { ChangeFeed } from '../events/change-feed.ts';
import { type RegisterRoutes, subscriptionPath } from '../scope.ts';

const lookEveryMs = 1000;
const heartbeatMs = 15_000;

/** A stream ends after this long and is begun anew by its client: rights may have been taken away meanwhile. */
const maxStreamMs = 15 * 60_000;

/** What may wait for a slow client; one that is further behind is cut off and begins anew with a snapshot. */
const maxWaitingBytes = 1024 * 1024;

const maxStreams = 100;

/**
 * Server-sent events: first `snapshot`, the open jobs and alerts as they are now, then `job`, `item` and `alert` at each
 * change, of what the caller may see. A client that was cut off connects again, as browsers do with `Last-Event-ID`, and
 * is told what it has missed; where that is not known any more it gets a new snapshot, so that it misses nothing that lasts.
 */
export const registerEvents: RegisterRoutes = (app, scope) => {
  const feed = new ChangeFeed(scope, lookEveryMs);

  app.get(
    `${subscriptionPath}/providers/Holdfast.Fleet/events`,
    { exposeHeadRoute: false },
    async (request, reply) => {
      if (feed.size >= maxStreams)
        throw new HoldfastError('TooManyRequests', `${maxStreams} clients listen for changes already.`);
      const sees = seesOf(request);
      const given = request.headers['last-event-id'];
      const isBack = typeof given === 'string' && feed.since(given) !== undefined;
      // What is told while the snapshot is put together is told again after it.
      const from = isBack ? given : feed.position;
      const snapshot = isBack
        ? undefined
        : {
            jobs: (await feed.openJobs()).filter((job) => sees(job.id)),
            alerts: (await feed.openAlerts()).filter((alert) => sees(alert.id)),
          };
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-ms-request-id': request.id,
      });
      const write = (text: string) => {
        if (raw.destroyed || raw.writableEnded) return;
        raw.write(text);
        if (raw.writableLength > maxWaitingBytes) raw.destroy();
      };
      const send = (event: string, data: unknown, id: string) =>
        write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (snapshot !== undefined) send('snapshot', snapshot, from);
      for (const { id, change } of feed.since(from) ?? [])
        if (sees(change.data.id)) send(change.event, change.data, id);

      const end = () => raw.end();
      const listening = feed.listen(({ event, data }, id) => {
        if (sees(data.id)) send(event, data, id);
      });
      const heartbeat = setInterval(() => write(': still here\n\n'), heartbeatMs);
      const limit = setTimeout(end, maxStreamMs);
      scope.workshop.signal.addEventListener('abort', end, { once: true });
      raw.once('close', () => {
        listening[Symbol.dispose]();
        clearInterval(heartbeat);
        clearTimeout(limit);
        scope.workshop.signal.removeEventListener('abort', end);
      });
      raw.on('error', () => raw.destroy()); // the client went away
      if (scope.workshop.signal.aborted) end();
    },
  );
};

/** Whether the caller may see what an id names. */
const seesOf =
  ({ caller }: FastifyRequest) =>
  (id: string): boolean =>
    caller?.grants.sees(id) === true;
