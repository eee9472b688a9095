import { expect } from 'vitest';
import { until } from '../support/until.ts';
import { type ContractService, subscriptionId } from './contract-service.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  /** The parsed body; an empty object where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: what other tools read of it is what the tests look at
  body: any;
}

/** Sends requests as a tool does: whole URLs of its own making, its own versions of the API, its own bodies. */
export function rawClient(service: ContractService, sent: Record<string, string> = {}) {
  async function send(method: string, url: string, payload?: object): Promise<Answer> {
    const answer = await service.app.inject({
      method: method as 'GET',
      url: encodeURI(url),
      headers: { authorization: `Bearer ${service.token}`, accept: 'application/json', ...sent },
      ...(payload === undefined ? {} : { payload }),
    });
    const text = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers as Answer['headers'],
      body: text === '' ? {} : JSON.parse(text),
    };
  }
  return {
    send,
    get: (url: string) => send('GET', url),
    /** As {@link send}, for what is to succeed. */
    async sent(method: string, url: string, payload?: object): Promise<Answer> {
      const answer = await send(method, url, payload);
      expect(answer.status, `${method} ${url}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
      return answer;
    },
  };
}

export type RawClient = ReturnType<typeof rawClient>;

export const subscription = `/subscriptions/${subscriptionId}`;

/** The operation that an answer's header names. */
export const operationOf = ({ headers }: Answer): string =>
  new URL(headers['azure-asyncoperation'] ?? headers.location ?? 'x:').pathname.split('/').at(-1) ?? '';

/** Asks again until an operation has ended, and returns what it says then. */
export async function ended(client: RawClient, statusUrl: string): Promise<Answer['body']> {
  let last: Answer['body'];
  await until('the operation ends', async () => {
    last = (await client.sent('GET', statusUrl)).body;
    return last.status !== 'InProgress';
  });
  return last;
}
