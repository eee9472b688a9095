import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
// @ts-expect-error it brings no types
import { Provider } from 'oidc-provider';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { listAudit } from '../../src/catalog/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

const subscription = `/subscriptions/${subscriptionId}`;
const vault = `${subscription}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;
const base = 'https://backup.example:8443';
const callback = `${base}/holdfast/openid-connect/callback`;

/** Whoever signs in next at the provider, with the groups it is in. */
let groups: string[];
let server: ApiServer;
let provider: Server;
let issuer: string;

/** A real provider, on loopback, that asks for a name, no password, and takes every consent as given. */
async function startProvider(): Promise<void> {
  vi.spyOn(console, 'warn').mockImplementation(() => {}); // it warns of what tests don't need
  vi.spyOn(console, 'info').mockImplementation(() => {});
  provider = createServer().listen(0, '127.0.0.1');
  await once(provider, 'listening');
  issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const oidc = new Provider(issuer, {
    clients: [{ client_id: 'holdfast', client_secret: 'a secret of the client', redirect_uris: [callback] }],
    pkce: { required: () => true },
    scopes: ['openid', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    cookies: { keys: ['a key'] },
    findAccount: (_ctx: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups }),
    }),
    loadExistingGrant: async (ctx: {
      oidc: {
        client: { clientId: string };
        session: { accountId: string };
        provider: {
          Grant: new (of: object) => { addOIDCScope(scope: string): void; save(): Promise<string> };
        };
      };
    }) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  });
  provider.on('request', oidc.callback());
}

async function configure(more: object = {}): Promise<void> {
  const clientSecretFile = join(server.directory, 'client-secret');
  await writeFile(clientSecretFile, 'a secret of the client\n');
  const settings = {
    issuer,
    clientId: 'holdfast',
    clientSecretFile,
    roles: [
      { group: 'admins', role: 'Owner' },
      { group: 'helpdesk', role: 'Operator', scope: vault },
    ],
    ...more,
  };
  await writeFile(join(server.directory, 'openid-connect.json'), JSON.stringify(settings));
}

beforeEach(async () => {
  groups = ['admins'];
  server = await createApiServer();
  await startProvider();
  await configure();
});

afterEach(async () => {
  provider.closeAllConnections();
  provider.close();
  vi.restoreAllMocks();
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]);
});

/** Cookies by name, for one host. */
type Jar = Map<string, string>;

const cookieHeader = (jar: Jar) => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');

function keep(jar: Jar, headers: readonly string[]): void {
  for (const header of headers) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
    if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(header)) jar.delete(name);
    else jar.set(name, value);
  }
}

async function ask(path: string, jar: Jar) {
  const answer = await server.app.inject({
    url: path,
    headers: { host: 'backup.example:8443', ...(jar.size === 0 ? {} : { cookie: cookieHeader(jar) }) },
  });
  keep(jar, [answer.headers['set-cookie'] ?? []].flat());
  return answer;
}

/** Goes to the provider as a browser does, and signs in there. @returns where it sends the browser back to */
async function signInAtProvider(address: string, name: string): Promise<URL> {
  const jar: Jar = new Map();
  const go = async (url: string, form?: Record<string, string>) => {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: cookieHeader(jar) },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    keep(jar, answer.headers.getSetCookie());
    return answer;
  };
  let url = address;
  for (let step = 0; step < 10; step += 1) {
    if (url.startsWith(base)) return new URL(url);
    let answer = await go(url);
    if (answer.status === 200) {
      const action = /<form[^>]*action="([^"]+)"/.exec(await answer.text())?.[1] ?? '';
      answer = await go(new URL(action, url).href, { prompt: 'login', login: name, password: 'x' });
    }
    url = new URL(answer.headers.get('location') ?? '', url).href;
  }
  throw new Error(`the provider does not send back: ${url}`);
}

async function signIn(name: string, jar: Jar = new Map()) {
  const begun = await ask('/holdfast/openid-connect/sign-in', jar);
  expect(begun.statusCode, begun.body).toBe(303);
  const back = await signInAtProvider(String(begun.headers.location), name);
  return { jar, back, answer: await ask(back.pathname + back.search, jar) };
}

const see = async (path: string, jar: Jar) => (await ask(`${path}?api-version=2026-07-01`, jar)).statusCode;
const people = `${subscription}/providers/Holdfast.Fleet/people`;

it('lets people in with the roles of their groups, for the session', async () => {
  const admin = await signIn('ada');
  expect(admin.answer.statusCode, admin.answer.body).toBe(200);
  expect(admin.answer.body).toContain('ada');
  expect([...admin.jar.keys()]).toEqual(['__Host-holdfast-session']);
  expect(await see(people, admin.jar)).toBe(200);

  groups = ['helpdesk', 'others'];
  const helper = await signIn('bob');
  expect([await see(vault, helper.jar), await see(people, helper.jar)]).toEqual([200, 404]);

  // Who is no longer in a group has no longer its role; the session from before ends by itself.
  const later = await signIn('ada');
  expect([await see(vault, later.jar), await see(people, later.jar)]).toEqual([200, 404]);

  groups = [];
  const nobody = await signIn('eve');
  expect([nobody.answer.statusCode, nobody.jar.size]).toEqual([403, 0]);
  const listed = (await ask(`${people}?api-version=2026-07-01`, admin.jar)).json().value;
  expect(
    listed.map(({ name, properties }: { name: string; properties: { signsIn: string } }) => [
      name,
      properties.signsIn,
    ]),
  ).toEqual([
    ['ada', 'outside'],
    ['bob', 'outside'],
    ['eve', 'outside'],
  ]);
});

it('makes nobody somebody else who has the same name here', async () => {
  const local = await server.app.inject({
    method: 'PUT',
    url: `${people}/ada?api-version=2026-07-01`,
    headers: { authorization: `Bearer ${server.token}` },
    payload: { properties: { password: 'correct horse battery', role: 'Reader' } },
  });
  expect(local.statusCode).toBe(201);
  const { jar } = await signIn('ada');
  const session = (await ask('/holdfast/session', jar)).json();
  expect(session.userName).toMatch(/^ada~[\w-]{8}$/);
  expect(session.principalId).not.toBe(local.json().properties.principalId);
});

it('takes an answer once, from the browser that asked, and as it was given', async () => {
  const { back, jar } = await signIn('ada');
  const again = (path: string, cookies: Jar) => ask(path, cookies).then(({ statusCode }) => statusCode);
  expect(await again(back.pathname + back.search, jar)).toBe(401); // the pending cookie is gone

  const first = new Map<string, string>();
  const begun = await ask('/holdfast/openid-connect/sign-in', first);
  const answer = await signInAtProvider(String(begun.headers.location), 'ada');
  const change = (name: string, value: string) => {
    const changed = new URL(answer);
    changed.searchParams.set(name, value);
    return changed.pathname + changed.search;
  };
  const other = new Map<string, string>();
  await ask('/holdfast/openid-connect/sign-in', other);
  expect(await again(answer.pathname + answer.search, other)).toBe(401);
  for (const path of [change('state', 'x'), change('code', 'x'), change('iss', 'https://evil.example')])
    expect(await again(path, new Map(first)), path).toBe(401);
  const [state = '', , verifier = ''] = first.get('__Host-holdfast-sign-in')?.split('.') ?? [];
  const withNonce = new Map([['__Host-holdfast-sign-in', `${state}.another.${verifier}`]]);
  expect(await again(answer.pathname + answer.search, withNonce)).toBe(401);
  const rows = await listAudit(server.estate.workshop.db, { limit: 100 });
  const signIns = rows.filter(({ action }) => action.includes('openid-connect')).map(({ status }) => status);
  expect(signIns).toEqual([...Array(5).fill('Failed'), 'Succeeded']);
});

it('says what is wrong with its settings, or that there are none', async () => {
  const begin = () => ask('/holdfast/openid-connect/sign-in', new Map());
  for (const more of [
    { issuer: 'http://idp.example' },
    { roles: [{ group: 'a', role: 'King' }] },
    { surprise: 1 },
  ]) {
    await configure(more);
    expect((await begin()).json().error).toMatchObject({ code: 'SignInFailed' });
  }
  await configure({ issuer: 'http://127.0.0.1:1' });
  expect((await begin()).json().error.message).toContain("can't be asked");
  await rm(join(server.directory, 'openid-connect.json'));
  expect((await begin()).statusCode).toBe(404);
});
