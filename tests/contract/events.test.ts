import { request } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { updateItem } from '../../src/catalog/index.ts';
import { lookForAlerts, startBackup } from '../../src/jobs/index.ts';
import { until } from '../support/until.ts';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

interface Stream extends Disposable {
  type: string | undefined;
  events: {
    id: string;
    event: string;
    data: { jobs?: unknown[]; alerts?: unknown[]; name?: string; properties?: Record<string, unknown> };
  }[];
}

/** Listens as a browser does. */
async function listen(lastEventId?: string): Promise<Stream> {
  const { promise, resolve, reject } = Promise.withResolvers<Stream>();
  const url = `${service.endpoint}/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/events?api-version=2026-07-01`;
  const outgoing = request(
    url,
    {
      ca: service.ca,
      headers: {
        authorization: `Bearer ${service.token}`,
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
    },
    (answer) => {
      const stream: Stream = {
        type: answer.headers['content-type'],
        events: [],
        [Symbol.dispose]: () => void outgoing.destroy(),
      };
      let text = '';
      answer.on('error', () => {}); // of our own going away
      answer.on('data', (chunk) => {
        text += chunk;
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const [, id = '', event, data] = /^id: (.+)\nevent: (\w+)\ndata: (.*)$/.exec(part) ?? [];
          if (event !== undefined) stream.events.push({ id, event, data: JSON.parse(data ?? 'null') });
        }
      });
      resolve(stream);
    },
  );
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

it('tells of jobs as they go, after what is there already', async () => {
  using stream = await listen();
  expect(stream.type).toBe('text/event-stream');
  await until('the snapshot comes', async () => stream.events.length > 0);
  expect(stream.events[0]).toMatchObject({ event: 'snapshot', data: { jobs: [], alerts: [] } });
  const { workshop } = service.estate;
  const jobId = await startBackup(workshop, await service.estate.item(), { onDemand: {} });
  await service.estate.settled(jobId);
  await until('the end of the job is told', async () =>
    stream.events.some(
      ({ event, data }) => event === 'job' && data.name === jobId && data.properties?.status === 'Completed',
    ),
  );
});

it('goes on where a client was cut off, and begins anew where that is not known any more', async () => {
  const { workshop } = service.estate;
  const failing = (is: boolean) =>
    updateItem(workshop.db, 'i1', { last_backup_status: is ? 'Failed' : 'Completed' }).then(() =>
      lookForAlerts(workshop, { withHosts: false }),
    );
  const states = (stream: Stream) =>
    stream.events.flatMap(({ event, data }) =>
      event === 'alert' && data.properties?.kind === 'BackupFailed' ? [data.properties.state] : [],
    );
  using other = await listen();
  let last = '';
  {
    using stream = await listen();
    await until('the snapshots come', async () => stream.events.length > 0 && other.events.length > 0);
    last = stream.events[0]?.id ?? '';
  }
  await failing(true);
  await until('the alert is told to who listens', async () => states(other).length > 0);
  using again = await listen(last);
  await until('what was missed is told', async () => states(again).length > 0);
  expect(again.events.filter(({ event }) => event === 'snapshot')).toEqual([]);
  await failing(false);
  await until('the end of the alert is told to both', async () =>
    [again, other].every((stream) => states(stream).at(-1) === 'Resolved'),
  );
  expect(states(again)).toEqual(['Open', 'Resolved']);
  using stranger = await listen('of-another-run-17');
  await until('the snapshot comes', async () => stranger.events.length > 0);
  expect(stranger.events[0]).toMatchObject({ event: 'snapshot', data: { jobs: [] } });
});
