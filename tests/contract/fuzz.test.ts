import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

/**
 * Any request, on any route, gets an answer that is no failure of the service and tells nothing of its insides. Requests
 * are made of the service's own OpenAPI document, and wrong in most of what they say.
 */

interface Schema {
  type?: string | string[];
  $ref?: string;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
}
interface Operation {
  parameters: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

const eventsPath = '/subscriptions/{subscription}/providers/Holdfast.Fleet/events';

let server: ApiServer;
let routes: { method: string; path: string; operation: Operation }[];
let schemas: Record<string, Schema>;
/** Tokens of callers with each role, at the vault and above, of one who may do nothing, and of nobody. */
let tokens: string[];
beforeAll(async () => {
  // Nobody is kept waiting here: thousands of requests are the point.
  server = await createApiServer({
    throttle: { burst: 1e9, perSecond: 1e9 },
    portal: { document: '<!doctype html>', files: new Map() },
  });
  const document = (await server.app.inject('/openapi.json')).json();
  schemas = document.components.schemas;
  // Events are a stream, whose answer has no end to wait for.
  const { [eventsPath]: events, ...paths } = document.paths as Record<string, Record<string, Operation>>;
  expect(events).toBeDefined();
  routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const group = `/subscriptions/${subscriptionId}/resourceGroups/default`;
  const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/Main`;
  const [reader, operator, contributor] = await Promise.all([
    tokenOf('reader', 'Reader', vault),
    tokenOf('operator', 'Operator', vault),
    tokenOf('contributor', 'Contributor', group),
  ]);
  // Most of the requests are the administrator's: those of the others mostly end at the door.
  tokens = [server.token, server.token, server.token, reader, operator, contributor, 'none'];
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]);
});

async function tokenOf(name: string, role: string, scope: string): Promise<string> {
  const made = await server.app.inject({
    method: 'PUT',
    url: `/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/clients/${name}?api-version=2026-07-01`,
    headers: { authorization: `Bearer ${server.token}` },
    payload: { properties: { role, scope } },
  });
  const { tenantId, clientId, clientSecret } = made.json().credentials;
  const answer = await server.app.inject({
    method: 'POST',
    url: `/${tenantId}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: 'https://management.azure.com/.default',
    }).toString(),
  });
  return answer.json().access_token;
}

/** Never an absolute path: what a request names, the service may well make. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '../../etc/passwd',
    '..%2f..%2fetc',
    'web',
    'Main',
    'default',
    'DefaultPolicy',
    'local',
    "x' or '1'='1",
    '\u0000',
    '\r\nset-cookie: x=1',
    '\ud800',
    '\u202egnp.exe',
    '__proto__',
    'constructor',
    'a'.repeat(600),
    '%00',
    '💾',
    '-1',
    '2026-02-30T99:00:00Z',
    'vm;iaasvmcontainerv2;default;web',
    `subscriptions/${subscriptionId}`,
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }).map((each) => each.replace(/^\/+/, '')),
);

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  text,
  fc.constantFrom(null, true, 0, -1, 1e308, Number.MAX_SAFE_INTEGER, [], {}),
);

/** A value that fits the schema in most of what it says. */
function fitting(schema: Schema | undefined, depth = 0): fc.Arbitrary<unknown> {
  if (schema === undefined || depth > 6) return anything;
  const near = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 9, arbitrary }, { weight: 1, arbitrary: anything });
  if (schema.$ref !== undefined) return fitting(schemas[schema.$ref.split('/').at(-1) ?? ''], depth + 1);
  if (schema.const !== undefined) return near(fc.constant(schema.const));
  if (schema.enum !== undefined) return near(fc.constantFrom(...schema.enum));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => fitting(choice, depth + 1)));
  if (schema.type === 'object' && schema.properties !== undefined) {
    const entries = Object.entries(schema.properties).map(
      ([name, each]) => [name, fitting(each, depth + 1)] as const,
    );
    return near(fc.record(Object.fromEntries(entries), { requiredKeys: [] }));
  }
  if (schema.type === 'array') return near(fc.array(fitting(schema.items, depth + 1), { maxLength: 3 }));
  if (schema.type === 'string') return near(text);
  if (schema.type === 'number' || schema.type === 'integer') return near(fc.integer());
  if (schema.type === 'boolean') return near(fc.boolean());
  return anything;
}

/** What no answer may hold: code, paths of the service, stacks. */
const leak = () => new RegExp(`node_modules|\\.ts:\\d|\\n\\s+at |SQLITE|${server.directory}`);

async function send(method: string, url: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await server.app.inject({
    method: method as 'GET',
    url,
    headers: { authorization: `Bearer ${server.token}`, ...headers },
    ...(body === undefined ? {} : { payload: body as object }),
  });
  const said = `${method} ${url.slice(0, 500)} ${JSON.stringify(body)?.slice(0, 500)} -> ${answer.statusCode} ${answer.body.slice(0, 500)}`;
  expect(answer.statusCode, said).toBeLessThan(500);
  expect(answer.body.length, said).toBeLessThan(1_000_000);
  for (const value of Object.values(answer.headers)) expect(String(value), said).not.toMatch(/[\r\n\0]/);
  expect(String(answer.headers['set-cookie']), said).not.toContain('x=1');
  if (answer.statusCode >= 400 && method !== 'HEAD') {
    expect(answer.body, said).not.toMatch(leak());
    const { error } = answer.json();
    expect(error === undefined || typeof error === 'string' || typeof error.message === 'string', said).toBe(
      true,
    );
  }
  return answer;
}

it.each([20261121, 4711])('answers any request on any route, whoever asks (seed %i)', async (seed) => {
  const request = fc.nat().chain((at) => {
    const route = routes[at % routes.length];
    if (route === undefined) throw new Error('there are no routes');
    const schema = route.operation.requestBody?.content['application/json']?.schema;
    const names = route.operation.parameters.filter((each) => each.in === 'path').map((each) => each.name);
    return fc.record({
      route: fc.constant(route),
      token: fc.constantFrom(...tokens),
      params: fc.record(Object.fromEntries(names.map((name) => [name, text]))),
      plausible: fc.boolean(),
      filter: fc.option(text),
      version: fc.constantFrom('2023-02-01', '2026-07-01', '', 'x'),
      body: route.method === 'GET' ? fc.constant(undefined) : fitting(schema),
    });
  });
  const real: Record<string, string> = {
    subscription: subscriptionId,
    group: 'default',
    vault: 'Main',
    fabric: 'Azure',
    container: 'iaasvmcontainer;iaasvmcontainerv2;default;web',
    item: 'vm;iaasvmcontainerv2;default;web',
    machine: 'web',
    host: 'memory',
    location: 'local',
  };
  await fc.assert(
    fc.asyncProperty(request, async ({ route, token, params, plausible, filter, version, body }) => {
      const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
        const known = name === 'subscription' || plausible ? real[name] : undefined;
        return encodeURIComponent((known ?? String(params[name])).toWellFormed());
      });
      const query = new URLSearchParams({
        'api-version': version,
        ...(filter !== null && { $filter: filter }),
      });
      await send(route.method, `${path}?${query}`, body, { authorization: `Bearer ${token}` });
    }),
    { numRuns: 450, seed },
  );
});

const vaults = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults`;

it('refuses what is too large, too deep or no JSON', async () => {
  const url = `${vaults}/Main/backupPolicies/deep?api-version=2023-02-01`;
  const json = { 'content-type': 'application/json' };
  const deep = `${'{"properties":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  for (const body of [deep, '{', '[', 'nul', '{"a":1}{"b":2}', '\ufeff{}', '[]', '1', 'null']) {
    const answer = await send('PUT', url, body, json);
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  }
  expect((await send('PUT', url, '<xml/>', { 'content-type': 'application/xml' })).statusCode).toBe(415);
  const large = await send('PUT', url, `"${'x'.repeat(2 ** 21)}"`, json);
  expect([large.statusCode, large.json().error.code]).toEqual([413, 'RequestContentTooLarge']);
});

it('repeats no header that could forge another', async () => {
  for (const id of ['a\tb', 'x'.repeat(300), 'é', '{}', '<script>']) {
    const answer = await send('GET', `${vaults}?api-version=2023-02-01`, undefined, {
      'x-ms-client-request-id': id,
    });
    expect(answer.headers['x-ms-client-request-id']).toBeUndefined();
  }
});

it('finds nothing behind tricks with paths', async () => {
  for (const path of [
    '/%',
    '/%zz',
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/subscriptions/..%2f..%2f',
    `${vaults}/%00`,
    `${vaults}/${'x'.repeat(5000)}`,
    `${vaults}/%zz`,
    '//',
    '/subscriptions//resourceGroups',
    `${vaults}/Main%2fbackupPolicies`,
  ]) {
    const answer = await send('GET', `${path}?api-version=2023-02-01`, undefined);
    expect([400, 404, 414], `${path.slice(0, 200)} -> ${answer.statusCode}`).toContain(answer.statusCode);
  }
});
