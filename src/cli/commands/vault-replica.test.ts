import { describe, expect, test } from 'vitest';
import type { RecoveryPoint, Replica } from '../../api/client/index.ts';
import { GiB, job, point, vaultId } from '../testing/samples.ts';
import { accepted, lines, world } from '../testing/scripted-service.ts';

describe('the replica of a vault', () => {
  const at = 'VAULT/providers/Holdfast.Fleet/replicas/default';
  const replica: Replica = {
    id: `${vaultId}/providers/Holdfast.Fleet/replicas/default`,
    name: 'default',
    type: 'Holdfast.Fleet/replicas',
    properties: {
      storePath: '/mnt/second',
      storeId: 's2',
      encryption: { state: 'Enabled', keyFile: '/h/keys/r.key' },
      status: 'Ready',
      retention: { mode: 'Follow' },
      recoveryPoints: 4,
      storedBytes: 3 * GiB,
      uniqueBytes: 6 * GiB,
      compressionRatio: 2,
      chunks: 100,
      packs: 97,
      condemnedPacks: 1,
      condemnedBytes: 2048,
      quarantinedPacks: 1,
      unfinishedVerificationSince: '2026-11-21T05:00:00Z',
      lag: { recoveryPoints: 2, bytes: GiB, since: '2026-11-21T05:00:00Z' },
      lastCompletedTime: '2026-11-21T04:44:00Z',
      lastError: { code: 'StoreFull', message: 'No space left.', action: 'Free space.' },
    },
  };

  test('is shown with how far behind it is and what to do', async () => {
    const { run } = await world({ [`GET ${at}`]: replica });
    expect(await run('vault replica show v1')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Replica of          v1',
        'Status              ready',
        'Store               /mnt/second',
        'Encryption          on',
        'Key file            /h/keys/r.key',
        'Keeps               follows the vault',
        'Recovery points     4',
        'Chunks              100',
        'Content             6.0 GiB',
        'Stored              3.0 GiB',
        'Compression         2.00 : 1',
        'Packs               97',
        'To be given back    2.0 KiB in 1 pack',
        'Damaged             1 pack',
        'Not replicated yet  2 recovery points, about 1.0 GiB, since 2026-11-21 05:00 UTC (44 min ago)',
        'Up to date at       2026-11-21 04:44 UTC (1 h ago)',
        'Verified            never; one begun 2026-11-21 05:00 UTC (44 min ago) has not ended',
        'Last error          StoreFull: No space left.',
        '                    What to do: Free space.',
      ),
    });
    expect(JSON.parse((await run('vault replica show v1 -o json')).out)).toEqual(replica);
  });

  test.each([
    ['--store /mnt/second', { storePath: '/mnt/second' }],
    ['--keep-points 5 --keep-days 90', { retention: { mode: 'Keep', count: 5, days: 90 } }],
    ['--follow --limit-rate 20M', { retention: { mode: 'Follow' }, bytesPerSecond: 20 * 2 ** 20 }],
    ['--limit-rate none', { bytesPerSecond: null }],
  ])('is set with %s', async (options, properties) => {
    const { run, received } = await world({ [`PUT ${at}`]: replica });
    expect((await run(`vault replica set v1 ${options}`)).code).toBe(0);
    expect(received.at(-1)?.body).toEqual({ properties });
  });

  test.each([
    ['--store relative', 'absolute'],
    ['--keep-points 0', 'above 0'],
    ['--limit-rate 5', '1K at least'],
    ['--limit-rate fast', '20M'],
    ['--follow --keep-days 3', 'leaves nothing'],
  ])('is not set with %s', async (options, sentence) => {
    const { run, received } = await world({});
    const { code, err } = await run(`vault replica set v1 ${options}`);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
    expect(received.map(({ method }) => method)).not.toContain('PUT');
  });

  test('is brought up to date in view', async () => {
    const ended = job('CompletedWithWarnings', [], { operation: 'Replicate', entityFriendlyName: 'v1' });
    const { run, received } = await world({
      [`POST ${at}/sync`]: () => accepted,
      'GET VAULT/backupJobs/j1': ended,
    });
    const { code, out } = await run('vault replica sync v1 --force');
    expect(code).toBe(3);
    expect(out).toContain('Replication of v1: completed with warnings in 42 s');
    expect(received.find(({ method }) => method === 'POST')?.body).toEqual({ properties: { force: true } });
    expect((await run('vault replica sync v1 --no-wait')).out).toBe(
      lines('Replication of v1 started, job j1', 'To follow it: holdfast job show j1 --watch --vault v1'),
    );
  });

  test('is mended only when that is confirmed, and shows the plan', async () => {
    const plan = job('Completed', [], {
      operation: 'RepairStore',
      entityFriendlyName: 'v1',
      extendedInfo: {
        tasksList: [],
        propertyBag: {
          Store: 'replica',
          Plan: 'rewrite packs/marker: it is missing\n1 to do, 0 lost for now',
        },
      },
    });
    const { run, received } = await world({
      [`POST ${at}/repair`]: () => accepted,
      'GET VAULT/backupJobs/j1': plan,
    });
    const sent = () => received.findLast(({ method }) => method === 'POST')?.body;
    const { code, out } = await run('vault replica repair v1');
    expect(code).toBe(0);
    expect(out).toContain('  rewrite packs/marker: it is missing\n  1 to do, 0 lost for now');
    expect(sent()).toEqual({ properties: { execute: false } });
    await run('vault replica repair v1 --yes --no-wait');
    expect(sent()).toEqual({ properties: { execute: true } });
  });

  test('is removed only when that is confirmed', async () => {
    const { run, received } = await world({
      [`GET ${at}`]: replica,
      [`DELETE ${at}`]: () => ({ status: 204 }),
    });
    const { code, err } = await run('vault replica remove v1');
    expect(code).toBe(2);
    expect(err).toContain('at /mnt/second (4 recovery points) would not be kept up to date');
    expect(received.map(({ method }) => method)).not.toContain('DELETE');
    expect((await run('vault replica remove v1 --yes')).out).toBe(
      'Vault v1 has no replica any more. Its store stays at /mnt/second.\n',
    );
  });

  test('is named with the points that it has, and restored from when asked', async () => {
    const there = (name: string, tiers: ('InstantRP' | 'HardenedRP')[]): RecoveryPoint => {
      const made = point(name, `2026-11-1${name}T05:00:00Z`, tiers);
      made.properties.holdfast.inReplica = true;
      return made;
    };
    const { run, received } = await world({
      'GET ITEM/recoveryPoints': {
        value: [
          point('4', '2026-11-21T05:00:00Z', ['InstantRP', 'HardenedRP']),
          there('3', ['InstantRP', 'HardenedRP']),
          there('2', []),
        ],
      },
      'POST ITEM/recoveryPoints/3/restore': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'Restore' }),
    });
    const { out } = await run('recovery-point list --vault v1 --vm web-1');
    for (const tiers of ['snapshot and vault ', 'snapshot, vault and replica ', ' replica '])
      expect(out).toContain(tiers);
    const common = '--vault v1 --vm web-1 --recovery-point latest';
    expect((await run(`restore disks ${common} --from replica --to /r`)).code).toBe(0);
    expect(received.find(({ method }) => method === 'POST')?.body).toMatchObject({
      properties: { recoveryPointId: '3', holdfast: { from: 'replica' } },
    });
  });
});
