import { request } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBackup } from '../../src/jobs/index.ts';
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
  events: { event: string; data: { jobs?: unknown[]; name?: string; properties?: { status?: string } } }[];
}

/** Listens as a browser does. */
async function listen(): Promise<Stream> {
  const { promise, resolve, reject } = Promise.withResolvers<Stream>();
  const url = `${service.endpoint}/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/events?api-version=2026-07-01`;
  const outgoing = request(
    url,
    { ca: service.ca, headers: { authorization: `Bearer ${service.token}` } },
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
          const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
          if (event !== undefined) stream.events.push({ event, data: JSON.parse(data ?? 'null') });
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
  expect(stream.events[0]).toMatchObject({ event: 'snapshot', data: { jobs: [] } });
  const { workshop } = service.estate;
  const jobId = await startBackup(workshop, await service.estate.item(), { onDemand: {} });
  await service.estate.settled(jobId);
  await until('the end of the job is told', async () =>
    stream.events.some(
      ({ event, data }) => event === 'job' && data.name === jobId && data.properties?.status === 'Completed',
    ),
  );
});
