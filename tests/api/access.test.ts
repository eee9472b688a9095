import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Access,
  atLeast,
  createClientPrincipal,
  createLocalCredential,
  newFirstRunCode,
  type Role,
  roleDefinitions,
  roles,
} from '../../src/access/index.ts';
import { accessTable } from '../../src/api/access-table.ts';
import type { AuditEntry } from '../../src/api/client/index.ts';
import { saveHost } from '../../src/catalog/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';
import { onPostgres } from '../support/scratch-place.ts';

const subscription = `/subscriptions/${subscriptionId}`;
const group = `${subscription}/resourceGroups/default`;
const vault = `${group}/providers/Microsoft.RecoveryServices/vaults/Main`;
const version = 'api-version=2026-07-01';

let server: ApiServer;
let tenantId: string;

beforeEach(async () => {
  server = await createApiServer();
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

interface Call {
  token?: string;
  body?: object;
  form?: Record<string, string>;
}

async function call(method: string, path: string, { token = server.token, body, form }: Call = {}) {
  const answer = await server.app.inject({
    method: method as 'GET',
    url: `${path}${path.includes('?') ? '&' : '?'}${version}`,
    headers: {
      host: 'backup.example:8443',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(body === undefined ? {} : { payload: body }),
    ...(form === undefined ? {} : { payload: new URLSearchParams(form).toString() }),
  });
  return { status: answer.statusCode, text: answer.body, json: () => answer.json() };
}

interface TestClient {
  clientId: string;
  clientSecret: string;
}

async function makeClient(name: string, role: Role, scope: string): Promise<TestClient> {
  const answer = await call('PUT', `${subscription}/providers/Holdfast.Fleet/clients/${name}`, {
    body: { properties: { role, scope } },
  });
  expect(answer.status, answer.text).toBe(201);
  const { credentials } = answer.json();
  ({ tenantId } = credentials);
  return credentials;
}

const askToken = ({ clientId, clientSecret }: TestClient, more: Record<string, string> = {}) =>
  call('POST', `/${tenantId}/oauth2/v2.0/token`, {
    token: '',
    form: {
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: 'https://management.azure.com/.default',
      ...more,
    },
  });

async function tokenOf(client: TestClient): Promise<string> {
  const answer = await askToken(client);
  expect(answer.status, answer.text).toBe(200);
  return answer.json().access_token;
}

describe('the access table', () => {
  it('lists every route, and no route that is not there', async () => {
    await server.app.ready();
    expect([...new Set(server.app.routeNames)].sort()).toEqual(Object.keys(accessTable).sort());
  });

  // Nothing of it depends on the database.
  it.skipIf(onPostgres())(
    'lets each role do what the table says, at its scope and nowhere else',
    async () => {
      // The guard is what is tried: behind it, nothing happens.
      server.app.addHook('preHandler', async (_request, reply) => reply.code(299).send());
      const tokens = new Map<string, string>();
      for (const role of roles)
        for (const [place, scope] of Object.entries({ subscription, group, vault, elsewhere: `${group}x` }))
          tokens.set(`${role} ${place}`, await tokenWithoutRoutes(role, scope));

      for (const [name, requirement] of Object.entries(accessTable)) {
        const [method = '', template = ''] = name.split(' ');
        const path = template
          .replace(':subscription', subscriptionId)
          .replace(':group', 'default')
          .replace(':vault', 'Main')
          .replaceAll(/:\w+/g, 'x');
        const depth = template.includes(':vault') ? 2 : template.includes(':group') ? 1 : 0;
        const needed = typeof requirement === 'object' ? requirement.role : requirement;
        expect((await call(method, path, { token: '' })).status, `${name} with no token`).toBe(
          needed === 'public' ? 299 : 401,
        );
        expect((await call(method, path)).status, `${name} by the administrator`).toBe(299);
        for (const [who, token] of tokens) {
          const [role, place = ''] = who.split(' ') as [Role, string];
          const covers = ['subscription', 'group', 'vault'].slice(0, depth + 1).includes(place);
          const expected =
            needed === 'public' || needed === 'signed-in' || needed === 'filtered'
              ? 299
              : !covers
                ? 404
                : atLeast(role, needed)
                  ? 299
                  : 403;
          expect((await call(method, path, { token })).status, `${name} by ${who}`).toBe(expected);
        }
      }
    },
  );

  it('names the role that a request needs, when its body asks for more than others of its kind', async () => {
    const reader = await tokenWithoutRoutes('Reader', vault);
    const item = `${vault}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;default;web/protectedItems/vm;iaasvmcontainerv2;default;web`;
    const needed = async (properties: object) =>
      (await call('PUT', item, { token: reader, body: { properties } })).json().error.message;
    expect(await needed({ policyId: 'DefaultPolicy' })).toContain('needs Operator');
    expect(await needed({ protectionState: 'ProtectionStopped' })).toContain('needs Contributor');
    expect(await needed({ isRehydrate: true })).toContain('needs Contributor');
    expect((await call('PUT', item, { token: reader })).status).toBe(403);
    const operator = await tokenWithoutRoutes('Operator', vault);
    const original = { properties: { recoveryType: 'OriginalLocation' } };
    const refused = await call('POST', `${item}/recoveryPoints/1/restore`, {
      token: operator,
      body: original,
    });
    expect(refused.json().error.message).toContain('needs Contributor');
  });

  it('refuses a route that it does not list, to everybody', async () => {
    server.app.get('/holdfast/forgotten', async () => ({ secret: 1 }));
    expect(await call('GET', '/holdfast/forgotten')).toMatchObject({ status: 403 });
    expect(server.errors.splice(0)).toEqual([{ route: 'GET /holdfast/forgotten' }]);
  });
});

/** Who is who, by the service's own keys. */
const accessOf = () =>
  new Access({
    db: server.estate.workshop.db,
    home: server.directory,
    credential: createLocalCredential(),
    now: () => server.estate.now.epochMilliseconds,
  });

/** A client and its token, past the routes: for tests that switch the routes off. */
async function tokenWithoutRoutes(role: Role, scope: string): Promise<string> {
  const { db } = server.estate.workshop;
  const made = await createClientPrincipal(db, {
    name: crypto.randomUUID(),
    role: { role, scope },
    by: 'test',
    now: '2026-01-01T00:00:00.000Z',
  });
  const access = accessOf();
  return access.tokenFor(made.client, `https://backup.example:8443/${await access.tenantId()}/v2.0`);
}

describe('what one may not see', () => {
  it('looks as if it did not exist, and is left out of lists', async () => {
    const { db } = server.estate.workshop;
    const [host] = (await call('GET', `${subscription}/providers/Holdfast.Fleet/hosts`)).json().value;
    await saveHost(db, {
      resource_group: 'other',
      name: 'h2',
      location: 'local',
      zone: null,
      uri: 'memory:2',
      overlay_directory: null,
      created_at: '2026-01-01T00:00:00.000Z',
    });
    await server.estate.workshop.db
      .insertInto('vaults')
      .values({ ...server.estate.vault, vault_id: 'v2', name: 'Second', resource_group: 'other' })
      .execute();
    const token = await tokenOf(await makeClient('one', 'Owner', vault));

    const list = await call('GET', `${subscription}/providers/Microsoft.RecoveryServices/vaults`, { token });
    expect(list.json().value.map(({ name }: { name: string }) => name)).toEqual(['Main']);
    const elsewhere = `${subscription}/resourceGroups/other/providers/Microsoft.RecoveryServices/vaults`;
    expect((await call('GET', elsewhere, { token })).json()).toEqual({ value: [] });
    expect((await call('GET', elsewhere)).json().value).toHaveLength(1);
    const hosts = await call('GET', `${subscription}/providers/Holdfast.Fleet/hosts`, { token });
    expect(hosts.json().value).toEqual([]);
    expect(host.name).toBe('memory');
    expect((await call('GET', '/subscriptions', { token })).json().value).toHaveLength(1);

    // Word for word what is said of a vault that is not there.
    const there = await call('GET', `${elsewhere}/Second`, { token });
    const notThere = await call('GET', `${elsewhere}/Third`, { token });
    const really = await call('GET', `${elsewhere}/Third`);
    expect([there.status, notThere.status, really.status]).toEqual([404, 404, 404]);
    expect(there.text.replaceAll('Second', 'Third')).toBe(notThere.text);
    expect(notThere.json()).toEqual(really.json());

    const made = [
      await call('PUT', `${elsewhere}/Second`, { token }),
      await call('PUT', `${elsewhere}/Third`, { token }),
    ];
    expect(made.map(({ status }) => status)).toEqual([404, 404]);
    expect(made[0]?.text.replaceAll('Second', 'Third')).toBe(made[1]?.text);
    expect(made[0]?.json().error.message).toContain('can create no vault');
  });

  it('can not be reached by naming it in a request for something else', async () => {
    const token = await tokenOf(await makeClient('op', 'Operator', vault));
    const item = `${vault}/backupFabrics/Azure/protectionContainers/x/protectedItems/vm%3Biaasvmcontainerv2%3Bdefault%3Bweb`;
    const put = (properties: object) => call('PUT', item, { token, body: { properties } });
    const sourceResourceId = `${group}/providers/Microsoft.Compute/virtualMachines/web`;
    expect((await put({ sourceResourceId })).json().error.code).toBe('LinkedAuthorizationFailed');
    expect((await put({ policyId: `${vault}/backupPolicies/DefaultPolicy` })).json().error.code).toBe(
      'InvalidInput',
    );
    for (const properties of [
      { protectionState: 'ProtectionStopped' },
      { isRehydrate: true },
      { policyId: '' },
    ])
      expect((await put(properties)).json().error).toMatchObject({ code: 'AuthorizationFailed' });
    const deep = await call('PUT', item, { token, body: nested(2000, { id: sourceResourceId }) });
    expect(deep.json().error.code).toBe('LinkedAuthorizationFailed');
  });
});

function nested(depth: number, inner: object): object {
  let value: object = inner;
  for (let level = 0; level < depth; level += 1) value = [value];
  return { value };
}

describe('tokens of clients', () => {
  it('are given for the right secret alone', async () => {
    const client = await makeClient('one', 'Reader', subscription);
    const given = await askToken(client);
    expect(given.json()).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
    const discovery = (
      await call('GET', `/${tenantId}/v2.0/.well-known/openid-configuration`, { token: '' })
    ).json();
    expect(discovery).toMatchObject({
      issuer: `https://backup.example:8443/${tenantId}/v2.0`,
      token_endpoint: `https://backup.example:8443/${tenantId}/oauth2/v2.0/token`,
    });
    expect((await call('GET', '/metadata/endpoints', { token: '' })).json()).toMatchObject({
      resourceManager: 'https://backup.example:8443',
      authentication: { loginEndpoint: 'https://backup.example:8443', tenant: tenantId },
    });
    expect((await askToken(client, { scope: 'https://backup.example:8443/.default' })).status).toBe(200);
    const { keys } = (await call('GET', `/${tenantId}/discovery/v2.0/keys`, { token: '' })).json();
    expect(keys).toMatchObject([{ kty: 'RSA', alg: 'RS256', use: 'sig' }]);
    expect(Object.keys(keys[0])).not.toContain('d');

    const v1 = await call('POST', `/${tenantId}/oauth2/token`, {
      token: '',
      form: {
        grant_type: 'client_credentials',
        client_id: client.clientId,
        client_secret: client.clientSecret,
        resource: 'https://management.core.windows.net/',
      },
    });
    expect(v1.status).toBe(200);

    expect(await askToken({ ...client, clientSecret: 'x' })).toMatchObject({ status: 401 });
    expect(await askToken({ ...client, clientId: 'x' })).toMatchObject({ status: 401 });
    expect(await askToken(client, { grant_type: 'password' })).toMatchObject({ status: 400 });
    expect(await askToken(client, { scope: 'https://graph.microsoft.com/.default' })).toMatchObject({
      status: 400,
    });
    expect(
      await call('POST', `/${crypto.randomUUID()}/oauth2/v2.0/token`, { token: '', form: {} }),
    ).toMatchObject({ status: 400 });
  });

  it('are refused when forged, of no algorithm, of another tenant or audience, expired, or early', async () => {
    const client = await makeClient('one', 'Reader', subscription);
    const good = await tokenOf(client);
    const status = async (token: string) => (await call('GET', '/subscriptions', { token })).status;
    expect(await status(good)).toBe(200);

    const [head = '', body = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { privateKey } = await generateKeyPair('RS256');
    const signed = (change: object) =>
      new SignJWT({ ...claims, ...change }).setProtectedHeader(header).sign(privateKey);
    expect(await status(await signed({}))).toBe(401);
    expect(await status(`${head}.${encode({ ...claims, sub: crypto.randomUUID() })}.${signature}`)).toBe(401);
    for (const alg of ['none', 'HS256', 'RS512'])
      expect(await status(`${encode({ ...header, alg })}.${body}.${alg === 'none' ? '' : signature}`)).toBe(
        401,
      );
    for (const token of ['a.b.c', `${good}x`, `${good}.${good}`, 'x'.repeat(9000)])
      expect(await status(token)).toBe(401);

    // Signed by the service's own key, and still not for it.
    const access = accessOf();
    const own = await access.keys.current();
    const resigned = (change: object) =>
      new SignJWT({ ...claims, ...change })
        .setProtectedHeader({ ...header, kid: own.kid })
        .sign(own.privateKey);
    expect(await status(await resigned({}))).toBe(200);
    const other = crypto.randomUUID();
    for (const change of [
      { tid: other },
      { iss: `https://backup.example:8443/${other}/v2.0` },
      { aud: 'https://graph.microsoft.com' },
      { nbf: claims.nbf + 600 },
      { exp: claims.iat - 60 },
      { iat: claims.iat - 7200, exp: claims.exp + 7200 },
      { sub: other },
      { sec: 'x' },
      { exp: undefined },
    ])
      expect(await status(await resigned(change)), JSON.stringify(change)).toBe(401);

    server.estate.now = server.estate.now.add({ hours: 1, minutes: 1 });
    expect(await status(good)).toBe(401);
  });

  it('are void as soon as the client has another secret, or is gone', async () => {
    const path = `${subscription}/providers/Holdfast.Fleet/clients/one`;
    const client = await makeClient('one', 'Reader', subscription);
    const first = await tokenOf(client);
    const rotated = (await call('POST', `${path}/rotateSecret`)).json().credentials;
    expect(await call('GET', '/subscriptions', { token: first })).toMatchObject({ status: 401 });
    expect(await askToken(client)).toMatchObject({ status: 401 });
    const second = await tokenOf(rotated);
    expect((await call('DELETE', path)).status).toBe(204);
    expect(await call('GET', '/subscriptions', { token: second })).toMatchObject({ status: 401 });
    expect((await call('GET', path)).status).toBe(404);
  });

  it('are not given while too many guesses are made, right or wrong, known or unknown', async () => {
    const client = await makeClient('one', 'Reader', subscription);
    const unknown = { clientId: crypto.randomUUID(), clientSecret: 'x' };
    for (const guess of [{ ...client, clientSecret: 'x' }, unknown]) {
      for (let n = 0; n < 10; n += 1) expect((await askToken(guess)).status).toBe(401);
      expect((await askToken(guess)).status).toBe(429);
    }
    expect((await askToken(client)).status).toBe(429);
    const other = await makeClient('two', 'Reader', subscription);
    expect((await askToken(other)).status).toBe(200);
    server.estate.now = server.estate.now.add({ minutes: 16 });
    expect((await askToken(client)).status).toBe(200);
  });
});

describe("Azure's own library", () => {
  it('signs in with a client, by version 2 of the address', async () => {
    const made = await makeClient('one', 'Reader', vault);
    const endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
    const credential = new ClientSecretCredential(tenantId, made.clientId, made.clientSecret, {
      authorityHost: endpoint,
      disableInstanceDiscovery: true,
      tlsOptions: { ca: server.ca },
    });
    const { token } = await credential.getToken('https://management.azure.com/.default');
    expect((await call('GET', vault, { token })).status).toBe(200);
    const wrong = new ClientSecretCredential(tenantId, made.clientId, 'wrong', {
      authorityHost: endpoint,
      disableInstanceDiscovery: true,
      tlsOptions: { ca: server.ca },
    });
    await expect(wrong.getToken('https://management.azure.com/.default')).rejects.toThrow(
      'There is no client with this id and secret',
    );
  });
});

describe('the audit log', () => {
  const auditPath = `${subscription}/providers/Holdfast.Fleet/auditLog`;
  const lines = async () =>
    (await call('GET', auditPath))
      .json()
      .value.map(({ properties: { principalName, action, status, httpStatus } }: AuditEntry) =>
        [principalName, action.replace(/^(Microsoft|Holdfast)\.\w+\//, ''), status, httpStatus]
          .join(' ')
          .trim(),
      )
      .reverse();

  it('has every write, what was refused, and nothing that was only read', async () => {
    const token = await tokenOf(await makeClient('one', 'Operator', vault));
    await call('GET', vault, { token });
    await call('PUT', vault, { token, body: { location: 'local' } });
    await call('POST', `${vault}/backupJobs/none/cancel`, { token });
    await call('PUT', `${vault}x`, { token, body: { location: 'local' } });
    await call('PUT', vault, { token: 'forged', body: {} });
    await call('PUT', vault, { body: { location: 'elsewhere' } });
    await call('DELETE', '/nowhere');
    expect(await lines()).toEqual([
      'local administrator clients/write Started',
      'local administrator clients/write Succeeded 201',
      'one oauth2/v2.0/token/action Succeeded 200',
      'one vaults/write Refused 403',
      'one vaults/backupJobs/cancel/action Started',
      'one vaults/backupJobs/cancel/action Failed 404',
      'one vaults/write Refused 404',
      'local administrator vaults/write Started',
      'local administrator vaults/write Failed 409',
    ]);
    const [entry] = (await call('GET', auditPath)).json().value;
    expect(entry.properties).toMatchObject({ resource: vault, address: '127.0.0.1' });
    expect((await call('GET', `${auditPath}Verification`)).json()).toEqual({ entries: 9, intact: true });
  });

  it('is filtered by who, outcome and request', async () => {
    const token = await tokenOf(await makeClient('one', 'Operator', vault));
    await call('PUT', vault, { token, body: { location: 'local' } });
    const found = async (filter: string): Promise<AuditEntry['properties'][]> =>
      (await call('GET', `${auditPath}?$filter=${encodeURIComponent(filter)}`))
        .json()
        .value.map(({ properties }: AuditEntry) => properties);
    const [refused, ...more] = await found("principalName eq 'one' and status eq 'refused'");
    expect([refused?.action, more]).toEqual(['Microsoft.RecoveryServices/vaults/write', []]);
    expect(await found(`requestId eq '${refused?.requestId}'`)).toEqual([refused]);
    expect(await found("principalName eq 'two'")).toEqual([]);
    expect((await call('GET', `${auditPath}?$filter=status eq 'Lost'`)).status).toBe(400);
  });

  it('is read in pages', async () => {
    await makeClient('one', 'Reader', vault);
    const first = (await call('GET', `${auditPath}?$top=1`)).json();
    expect(first.value).toHaveLength(1);
    const next = new URL(first.nextLink);
    const second = (
      await call('GET', `${auditPath}?$top=1&$skipToken=${next.searchParams.get('$skipToken')}`)
    ).json();
    expect([first, second].map(({ value }) => value[0].properties.status)).toEqual(['Succeeded', 'Started']);
    expect((await call('GET', `${auditPath}?since=2100-01-01T00:00:00Z`)).json().value).toEqual([]);
  });
});

it('keeps every credential out of the log and the catalog', async () => {
  const client = await makeClient('one', 'Owner', subscription);
  const first = await tokenOf(client);
  await askToken({ ...client, clientSecret: `${client.clientSecret}x` });
  const rotated = (
    await call('POST', `${subscription}/providers/Holdfast.Fleet/clients/one/rotateSecret`)
  ).json();
  const secrets = [server.token, client.clientSecret, first, rotated.credentials.clientSecret];
  const password = 'correct horse battery';
  const person = await call('PUT', `${subscription}/providers/Holdfast.Fleet/people/ada`, {
    body: { properties: { password, role: 'Reader' } },
  });
  expect(person.status).toBe(201);
  for (const kind of ['cookie', 'token']) {
    const body = { userName: 'ada', password, kind };
    const signedIn = await call('POST', '/holdfast/sign-in', { token: '', body });
    expect(signedIn.status).toBe(200);
    if (kind === 'token') secrets.push(signedIn.json().token);
  }
  secrets.push(password, (await newFirstRunCode(server.estate.workshop.db, 0)) ?? password);
  // A failure nobody expected is logged with all that is known of it.
  server.estate.workshop.estate.listMachines = () => Promise.reject(new Error('broken'));
  const token = await tokenOf(rotated.credentials);
  const failed = await call('GET', `${subscription}/providers/Holdfast.Fleet/virtualMachines`, { token });
  expect(failed.status).toBe(500);
  expect(server.log.join('\n')).toContain('broken');
  const kept = await allThatIsKept();
  for (const secret of [...secrets, token]) {
    expect(server.log.join('\n')).not.toContain(secret);
    expect(kept).not.toContain(secret);
  }
});

describe('people', () => {
  const people = `${subscription}/providers/Holdfast.Fleet/people`;
  const password = 'correct horse battery';
  const cookieName = '__Host-holdfast-session';

  const makePerson = (name: string, role: Role, scope = subscription) =>
    call('PUT', `${people}/${name}`, { body: { properties: { password, role, scope } } });
  const signIn = async (userName: string, secret = password, kind = 'token') =>
    server.app.inject({
      method: 'POST',
      url: '/holdfast/sign-in',
      headers: { host: 'backup.example:8443' },
      payload: { userName, password: secret, kind },
    });

  it('sign in with a password, do what their roles allow, and sign out', async () => {
    expect((await makePerson('ada', 'Operator', vault)).status).toBe(201);
    expect((await makePerson('ADA', 'Operator')).status).toBe(409);
    const session = (await signIn('Ada')).json();
    expect(session).toMatchObject({ userName: 'ada', token: expect.stringMatching(/^hfs_[\w-]{43}$/) });
    const { token } = session;
    expect((await call('GET', vault, { token })).status).toBe(200);
    expect((await call('DELETE', vault, { token })).status).toBe(403);
    expect((await call('GET', people, { token })).status).toBe(404);
    expect((await call('DELETE', '/holdfast/session', { token })).status).toBe(204);
    expect((await call('GET', vault, { token })).status).toBe(401);
  });

  it('are signed out when idle, after a day, when their password changes, and when they are deleted', async () => {
    await makePerson('ada', 'Reader');
    const status = async (token: string) => (await call('GET', vault, { token })).status;
    const begin = async (secret = password) => (await signIn('ada', secret)).json().token;
    const idle = await begin();
    server.estate.now = server.estate.now.add({ hours: 2, minutes: 1 });
    expect(await status(idle)).toBe(401);
    const busy = await begin();
    for (let hour = 0; hour < 11; hour += 1) {
      server.estate.now = server.estate.now.add({ hours: 1 });
      expect(await status(busy)).toBe(200);
    }
    server.estate.now = server.estate.now.add({ hours: 1 });
    expect(await status(busy)).toBe(401);

    const [one, two] = [await begin(), await begin()];
    const change = (currentPassword: string, newPassword: string) =>
      call('POST', '/holdfast/session/password', { token: one, body: { currentPassword, newPassword } });
    expect((await change('wrong', 'another long password')).status).toBe(401);
    expect((await change(password, 'short')).status).toBe(400);
    expect((await change(password, 'another long password')).status).toBe(204);
    expect([await status(one), await status(two)]).toEqual([200, 401]);
    expect((await signIn('ada')).statusCode).toBe(401);
    const reset = await call('PUT', `${people}/ada`, { body: { properties: { password } } });
    expect(reset.status).toBe(200);
    expect(await status(one)).toBe(401);
    const last = await begin();
    expect((await call('DELETE', `${people}/ada`)).status).toBe(204);
    expect(await status(last)).toBe(401);
  });

  it('are not told whether the name or the password was wrong, and are locked out alike', async () => {
    await makePerson('ada', 'Reader');
    const told = async (name: string) => {
      const answer = await signIn(name, 'a wrong password');
      return [answer.statusCode, answer.body];
    };
    const known = await told('ada');
    expect(known[0]).toBe(401);
    expect(await told('nobody')).toEqual(known);
    for (let n = 0; n < 9; n += 1) await Promise.all([told('ada'), told('nobody')]);
    expect((await told('ada'))[0]).toBe(429);
    expect(await told('nobody')).toEqual(await told('ada'));
    expect((await signIn('ada')).statusCode).toBe(429);
    server.estate.now = server.estate.now.add({ minutes: 16 });
    expect((await signIn('ada')).statusCode).toBe(200);
  });

  it('in a browser must send the token of our pages with every write', async () => {
    await makePerson('ada', 'Owner');
    const signedIn = await signIn('ada', password, 'cookie');
    const { csrfToken, token } = signedIn.json();
    expect(token).toBeUndefined();
    const header = String(signedIn.headers['set-cookie']);
    expect(header).toMatch(
      /^__Host-holdfast-session=hfs_[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const cookie = header.split(';')[0] ?? '';
    const send = async (method: 'GET' | 'PATCH', headers: Record<string, string> = {}) =>
      (
        await server.app.inject({
          method,
          url: `${vault}?${version}`,
          headers: { host: 'backup.example:8443', cookie: `x=y; ${cookie}`, ...headers },
          ...(method === 'GET' ? {} : { payload: { tags: { a: 'b' } } }),
        })
      ).statusCode;
    expect(await send('GET')).toBe(200);
    expect(await send('PATCH')).toBe(403);
    expect(await send('PATCH', { 'x-holdfast-csrf': 'x' })).toBe(403);
    expect(await send('PATCH', { 'x-holdfast-csrf': csrfToken, origin: 'https://evil.example' })).toBe(403);
    expect(await send('PATCH', { 'x-holdfast-csrf': csrfToken, origin: 'https://backup.example:8443' })).toBe(
      200,
    );
    expect(await send('GET', { cookie: `${cookieName}=hfs_forged` })).toBe(401);
    // A header that proves nothing is not made good by a cookie.
    expect(await send('GET', { authorization: 'Bearer forged' })).toBe(401);
  });

  it('are refused with names and passwords that will not do', async () => {
    const put = (name: string, secret: string, role: string | undefined) =>
      call('PUT', `${people}/${encodeURIComponent(name)}`, {
        body: { properties: { password: secret, ...(role === undefined ? {} : { role }) } },
      });
    for (const answer of [
      await put('ada', 'short', 'Reader'),
      await put('ada', 'my name is ada!', 'Reader'),
      await put('ada', 'aaaaaaaaaaaaaaaa', 'Reader'),
      await put('a b', password, 'Reader'),
      await put('ada', password, 'King'),
      await put('ada', password, undefined),
    ])
      expect(answer.status, answer.text).toBe(400);
    expect((await call('GET', people)).json().value).toEqual([]);
  });

  describe('the first of them', () => {
    const open = (code: string, body: Record<string, string>) =>
      server.app.inject({
        method: 'POST',
        url: '/holdfast/first-run',
        headers: { host: 'backup.example:8443', 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ code, ...body }).toString(),
      });
    const codeNow = async () =>
      (await newFirstRunCode(server.estate.workshop.db, server.estate.now.epochMilliseconds)) ?? '';

    it('becomes the owner by a link, once', async () => {
      const code = await codeNow();
      const page = await server.app.inject(`/holdfast/first-run?code=${code}"><script>`);
      expect(page.statusCode).toBe(200);
      expect(page.headers['content-security-policy']).toContain("default-src 'none'");
      expect(page.body).not.toContain('<script>');

      const refused = await open(code, { userName: 'ada', password: 'short' });
      expect([refused.statusCode, refused.body.includes('at least 12 characters')]).toEqual([400, true]);
      const both = await Promise.all([
        open(code, { userName: 'ada', password }),
        open(code, { userName: 'eve', password }),
      ]);
      expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([201, 401]);
      const [winner] = (await call('GET', people)).json().value;
      const { token } = (await signIn(winner.name)).json();
      expect((await call('GET', people, { token })).json().value).toHaveLength(1);
      expect(await newFirstRunCode(server.estate.workshop.db, 0)).toBeUndefined();
    });

    it('is too late after an hour, and when there is a newer link', async () => {
      const old = await codeNow();
      const newer = await codeNow();
      expect((await open(old, { userName: 'ada', password })).statusCode).toBe(401);
      server.estate.now = server.estate.now.add({ minutes: 61 });
      expect((await open(newer, { userName: 'ada', password })).statusCode).toBe(401);
      expect((await open('', { userName: 'ada', password })).statusCode).toBe(401);
    });
  });
});

/** The tables of people, clients and what they did; of SQLite also what its files still have of earlier rows. */
async function allThatIsKept(): Promise<string> {
  const { db } = server.estate.workshop;
  const tables = ['clients', 'people', 'sessions', 'settings', 'sign_in_failures', 'audit'] as const;
  const rows = await Promise.all(tables.map((table) => db.selectFrom(table).selectAll().execute()));
  if (onPostgres()) return JSON.stringify(rows);
  const files = ['catalog.db', 'catalog.db-wal'].map((name) =>
    readFile(join(server.estate.directory, name), 'latin1'),
  );
  return [JSON.stringify(rows), ...(await Promise.all(files))].join('\n');
}

describe('roles', () => {
  const assignments = (scope: string) => `${scope}/providers/Microsoft.Authorization/roleAssignments`;

  it('are given, listed and taken away as with Azure, and count at once', async () => {
    const client = await makeClient('one', 'Reader', `${subscription}/resourceGroups/empty`);
    const token = await tokenOf(client);
    expect((await call('GET', vault, { token })).status).toBe(404);
    const name = crypto.randomUUID();
    const definition = roleDefinitions.find(({ role }) => role === 'Operator')?.id;
    const body = {
      properties: {
        roleDefinitionId: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${definition}`,
        principalId: client.clientId,
        principalType: 'ServicePrincipal',
      },
    };
    const made = await call('PUT', `${assignments(vault)}/${name}`, { body });
    expect(made.status, made.text).toBe(201);
    expect(made.json()).toMatchObject({ name, properties: { scope: vault, holdfast: { role: 'Operator' } } });
    expect((await call('PUT', `${assignments(vault)}/${name}`, { body })).status).toBe(200);
    expect(await call('PUT', `${assignments(vault)}/${crypto.randomUUID()}`, { body })).toMatchObject({
      status: 409,
    });
    expect((await call('GET', vault, { token })).status).toBe(200);

    const listed = async (scope: string, filter = '') =>
      (await call('GET', `${assignments(scope)}${filter}`))
        .json()
        .value.map((row: { name: string }) => row.name);
    expect(await listed(vault)).toEqual([name]);
    expect(await listed(subscription)).toHaveLength(2);
    expect(await listed(subscription, `?$filter=principalId%20eq%20'${client.clientId}'`)).toHaveLength(2);
    expect(await listed(`${group}x`)).toEqual([]);
    // Not through another scope than its own.
    expect((await call('GET', `${assignments(group)}/${name}`)).status).toBe(404);
    expect((await call('DELETE', `${assignments(group)}/${name}`)).status).toBe(204);
    expect(await listed(vault)).toEqual([name]);
    expect((await call('DELETE', `${assignments(vault)}/${name}`)).status).toBe(200);
    expect((await call('GET', vault, { token })).status).toBe(404);
  });

  it('are refused for what is no scope, role, name or principal', async () => {
    const { clientId } = await makeClient('one', 'Reader', subscription);
    const put = (scope: string, name: string, properties: object) =>
      call('PUT', `${assignments(scope)}/${name}`, { body: { properties } });
    const good = { roleDefinitionId: 'Reader', principalId: clientId };
    const name = crypto.randomUUID();
    for (const answer of [
      await put(vault, 'x', good),
      await put(vault, name, { ...good, roleDefinitionId: 'King' }),
      await put(vault, name, { ...good, principalId: name }),
      await put(vault, name, { ...good, condition: 'x' }),
    ])
      expect(answer.status, answer.text).toBe(400);
    expect((await put(`${vault}x`, name, good)).status).toBe(404);
    const client = await call('PUT', `${subscription}/providers/Holdfast.Fleet/clients/two`, {
      body: { properties: { role: 'Reader', scope: `${vault}/backupPolicies/x` } },
    });
    expect(client.status).toBe(400);
  });

  it('of a vault go with it', async () => {
    const other = vault.replace('Main', 'Second');
    await call('PUT', other, { body: { location: 'local' } });
    const token = await tokenOf(await makeClient('one', 'Owner', other));
    expect((await call('DELETE', other)).status).toBe(200);
    await call('PUT', other, { body: { location: 'local' } });
    expect((await call('GET', other)).status).toBe(200);
    expect((await call('GET', other, { token })).status).toBe(404);
  });
});
