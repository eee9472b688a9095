import { afterAll, beforeAll, expect, it } from 'vitest';
import { refusedRoutes } from '../../src/api/routes/refusals.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

let server: ApiServer;
beforeAll(async () => {
  server = await createApiServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Values for the parameters of a path; what is refused is refused for what is there, too. */
const real: Record<string, string> = {
  subscription: subscriptionId,
  group: 'default',
  vault: 'Main',
  fabric: 'Azure',
};

it('refuses what is not offered with why and what to do, and never so that a client tries again', async () => {
  for (const [methods, path, why, action] of refusedRoutes) {
    const url = path.replaceAll(/:(\w+)/g, (_all, name: string) => real[name] ?? 'x');
    for (const method of methods) {
      const answer = await server.app.inject({
        method: method as 'GET',
        url: `${url}?api-version=2023-02-01`,
        headers: { authorization: `Bearer ${server.token}` },
      });
      expect(answer.statusCode, `${method} ${url}`).toBe(400);
      expect(answer.json()).toEqual({
        error: {
          code: 'OperationNotSupported',
          message: why,
          target: url,
          additionalInfo: [{ type: 'RecommendedAction', info: { action } }],
        },
      });
    }
  }
});
