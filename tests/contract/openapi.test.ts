import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiServer, createApiServer } from '../support/api-server.ts';

interface Operation {
  requestBody?: object;
  parameters: { name: string; in: string }[];
  responses: Record<string, object>;
}

let server: ApiServer;
let paths: Record<string, Record<string, Operation>>;
let text: string;
beforeAll(async () => {
  server = await createApiServer();
  const answer = await server.app.inject({ method: 'GET', url: '/openapi.json' });
  expect(answer.statusCode).toBe(200);
  text = answer.body;
  paths = JSON.parse(text).paths;
});
afterAll(() => server[Symbol.asyncDispose]());

it('has every route that is registered, with the parameters of its path', () => {
  expect(server.app.routeNames.length).toBeGreaterThan(150);
  for (const route of server.app.routeNames) {
    const [method = '', url = ''] = route.split(' ');
    const operation = paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    expect(operation, route).toBeDefined();
    const wanted = [...url.matchAll(/:(\w+)/g)].map((match) => match[1]);
    expect(operation?.parameters.filter((each) => each.in === 'path').map((each) => each.name)).toEqual(
      wanted,
    );
  }
});

it('refers to nothing that is not in it', () => {
  const { components } = JSON.parse(text) as { components: { schemas: object } };
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(components.schemas).toHaveProperty(name);
});

it('describes what goes into every route that takes something', () => {
  /** Routes that are sent without a body, or with one that is no JSON. */
  const without =
    /(start|powerOff|deallocate|restart|register|cancel|refreshContainers|purge|undelete|rotateSecret|token|roleDefinitions|installFreezeHook|backupJobsExport|dismiss)$/;
  const missing = Object.entries(paths).flatMap(([path, operations]) =>
    ['put', 'post', 'patch']
      .filter((method) => {
        const operation = operations[method];
        // What is refused whatever is asked describes only its error.
        const isRefused = operation !== undefined && Object.keys(operation.responses).length === 1;
        return (
          operation !== undefined && !isRefused && operation.requestBody === undefined && !without.test(path)
        );
      })
      .map((method) => `${method} ${path}`),
  );
  expect(missing).toEqual([]);
});
