import { describe, expect, test } from 'vitest';
import { vault, vaultId } from '../testing/samples.ts';
import { lines, world } from '../testing/scripted-service.ts';

describe('vaults', () => {
  test('a list is a table; with --output json the objects as the API sent them; with jsonl one per line', async () => {
    const sent = [
      { ...vault, future: true },
      { ...vault, name: 'v2' },
    ];
    const { run } = await world({ 'GET SUB/providers/Microsoft.RecoveryServices/vaults': { value: sent } });
    expect(await run('vault list')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'NAME  GROUP    LOCATION  STATUS  ITEMS  POINTS   STORED',
        'v1    default  local     ready       1       2  1.5 GiB',
        'v2    default  local     ready       1       2  1.5 GiB',
      ),
    });
    expect(JSON.parse((await run('vault list --output json')).out)).toEqual(sent);
    const { out } = await run('-o jsonl vault list');
    expect(out).toBe(lines(...sent.map((one) => JSON.stringify(one))));
  });

  test('a list of the whole subscription is narrowed by a resource group that is named', async () => {
    const other = { ...vault, name: 'far', id: vaultId.replace('/default/', '/other/') };
    const { run } = await world({
      'GET SUB/providers/Microsoft.RecoveryServices/vaults': { value: [vault, other] },
    });
    expect((await run('vault list -g OTHER')).out).toContain('far');
    expect((await run('vault list -g OTHER')).out).not.toContain('v1 ');
  });

  test('a vault is created with its store and tags', async () => {
    const { run, received } = await world({ 'PUT VAULT': vault });
    expect((await run('vault create v1 --store /srv/v1 --tag a=1 --tag b=x=y')).code).toBe(0);
    expect(received.at(-1)?.body).toEqual({
      location: 'local',
      tags: { a: '1', b: 'x=y' },
      properties: { holdfast: { storePath: '/srv/v1' } },
    });
  });

  test('a vault is deleted only when that is confirmed; otherwise the command tells what would go', async () => {
    const { run, received } = await world({ 'GET VAULT': vault, 'DELETE VAULT': () => ({ status: 204 }) });
    expect(await run('vault delete v1')).toEqual({
      code: 2,
      out: '',
      err: lines(
        'Error InvalidCommandLine: Vault v1 (1 protected item and 2 recovery points, store /srv/h/v1) would be deleted.',
        'What to do: If that is meant: holdfast vault delete v1 --yes',
      ),
    });
    expect(received.map(({ method }) => method)).not.toContain('DELETE');
    expect(await run('vault delete v1 --yes')).toEqual({ code: 0, out: 'Vault v1 is deleted.\n', err: '' });
  });

  test('what nobody can take back of a vault is said before it is done', async () => {
    const { run, received } = await world({ 'PATCH VAULT': vault });
    for (const what of ['--immutability locked', '--soft-delete always'])
      expect((await run(`vault update v1 ${what}`)).code).toBe(2);
    expect(await run('vault update v1')).toMatchObject({
      code: 2,
      err: expect.stringContaining('not said what to change'),
    });
    expect(received.some(({ method }) => method === 'PATCH')).toBe(false);
    const done = await run('vault update v1 --immutability locked --soft-delete-days 30 --yes');
    expect(done.code).toBe(0);
    expect(done.out).toContain('Soft delete');
    expect(received.find(({ method }) => method === 'PATCH')?.body).toEqual({
      properties: {
        securitySettings: {
          immutabilitySettings: { state: 'Locked' },
          softDeleteSettings: { softDeleteRetentionPeriodInDays: 30 },
        },
      },
    });
  });
});
