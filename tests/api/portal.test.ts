import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPortal } from '../../src/api/index.ts';
import { startBackup } from '../../src/jobs/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

const script = 'console.log("portal")';
const quiet = { warn() {} };

let directory: string;
let server: ApiServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-portal-'));
  await mkdir(join(directory, 'assets'));
  await writeFile(
    join(directory, 'index.html'),
    '<meta nonce="__NONCE__"><script src="/portal/assets/a-1.js"></script>',
  );
  await writeFile(join(directory, 'icon.svg'), '<svg/>');
  await writeFile(join(directory, 'built-from'), 'a digest');
  await writeFile(join(directory, 'assets', 'a-1.js'), script);
  await writeFile(join(directory, 'assets', 'a-1.js.gz'), gzipSync(script));
  server = await createApiServer({ portal: await loadPortal(directory, quiet) });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const get = (url: string, headers: Record<string, string> = {}) => server.app.inject({ url, headers });

describe('the portal', () => {
  it('is where a browser arrives', async () => {
    expect((await get('/')).headers.location).toBe('/portal');
  });

  it('gives its document at every address below, with a policy that runs nothing else', async () => {
    const answers = [await get('/portal'), await get('/portal/'), await get('/portal/vaults/default/Main')];
    for (const answer of answers) {
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      const policy = String(answer.headers['content-security-policy']);
      expect(policy).toContain("script-src 'self';");
      expect(policy).not.toContain('unsafe');
      const nonce = /'nonce-([^']+)'/.exec(policy)?.[1];
      expect(answer.body).toContain(`nonce="${nonce}"`);
    }
    const nonces = answers.map(({ body }) => body);
    expect(new Set(nonces).size).toBe(nonces.length);
  });

  it('gives its files, compressed where the browser takes it, to be kept', async () => {
    const plain = await get('/portal/assets/a-1.js');
    expect(plain.body).toBe(script);
    expect(plain.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    });
    const packed = await get('/portal/assets/a-1.js', { 'accept-encoding': 'br;q=0, gzip' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.rawPayload).toString()).toBe(script);
    const known = await get('/portal/assets/a-1.js', { 'if-none-match': String(plain.headers.etag) });
    expect(known.statusCode).toBe(304);
    expect((await get('/portal/icon.svg')).headers['cache-control']).toBe('no-cache');
  });

  it('gives nothing that is no file of the build', async () => {
    const missing = await get('/portal/assets/gone.js');
    expect(missing.statusCode).toBe(404);
    expect(missing.json()).toMatchObject({ error: { code: 'ResourceNotFound' } });
    for (const path of ['built-from', '..%2f..%2fetc%2fpasswd', '%2e%2e/index.html'])
      expect((await get(`/portal/${path}`)).body).not.toMatch(/a digest|root:/);
  });

  it('leaves every other address to the API', async () => {
    expect((await get('/nowhere')).statusCode).toBe(401);
    expect((await get('/portals')).statusCode).toBe(401);
    expect((await get('//')).statusCode).toBe(404);
  });

  it('says what to do where it is not built', async () => {
    expect(await loadPortal(join(directory, 'missing'), quiet)).toBeUndefined();
    await using bare = await createApiServer();
    const answer = await bare.app.inject({ url: '/portal/jobs' });
    expect(answer.statusCode).toBe(404);
    expect(answer.body).toContain('bin/setup');
  });
});

describe('the whole estate', () => {
  const ask = async (path: string) => {
    const answer = await server.app.inject({
      url: `/subscriptions/${subscriptionId}/providers/Holdfast.Fleet/${path}${path.includes('?') ? '&' : '?'}api-version=2026-07-01`,
      headers: { authorization: `Bearer ${server.token}` },
    });
    return { status: answer.statusCode, body: answer.json() };
  };
  const filtered = (list: string, filter: string) => ask(`${list}?$filter=${encodeURIComponent(filter)}`);
  const names = (body: { value: { properties: { friendlyName: string } }[] }) =>
    body.value.map((item) => item.properties.friendlyName);

  it('is summed up', async () => {
    const { workshop } = server.estate;
    await server.estate.settled(await startBackup(workshop, await server.estate.item(), { onDemand: {} }));
    const { body } = await ask('overview');
    expect(body).toMatchObject({
      hosts: { total: 1, unreachable: 0 },
      virtualMachines: { total: 1, protected: 1, unprotected: 0 },
      protectedItems: { total: 1, byState: { Protected: 1 }, failing: 0 },
      jobs: { byStatus: { Completed: 1 } },
      storage: { vaults: 1, silent: 0, recoveryPoints: 1 },
      attention: [],
    });
  });

  it('has its items listed, filtered and in order', async () => {
    expect(names((await ask('protectedItems')).body)).toEqual(['web']);
    expect(names((await filtered('protectedItems', "friendlyName eq 'E'")).body)).toEqual(['web']);
    expect(names((await filtered('protectedItems', "friendlyName eq 'x'")).body)).toEqual([]);
    expect(names((await filtered('protectedItems', "protectionState eq 'Protected'")).body)).toEqual(['web']);
    expect(names((await filtered('protectedItems', "vaultId eq '/elsewhere'")).body)).toEqual([]);
    expect(names((await ask('protectedItems?$orderby=lastBackupTime%20desc')).body)).toEqual(['web']);
    expect((await ask('protectedItems?$orderby=size')).body).toMatchObject({
      error: { code: 'InvalidInput' },
    });
    const [item] = (await ask('protectedItems')).body.value;
    expect(item.properties.lastRecoveryPoint).toBeDefined();
    expect(item.properties.holdfast.recoveryPoints).toBe(1);
  });

  it('has its jobs listed over all vaults', async () => {
    const operations = (body: { value: { properties: { operation: string } }[] }) =>
      body.value.map((job) => job.properties.operation);
    expect(operations((await ask('jobs')).body)).toEqual(['Backup']);
    expect(operations((await filtered('jobs', "entityFriendlyName eq 'WE'")).body)).toEqual(['Backup']);
    expect(operations((await filtered('jobs', "entityFriendlyName eq 'w_b'")).body)).toEqual([]);
    expect(operations((await filtered('jobs', "status eq 'Failed'")).body)).toEqual([]);
  });
});
