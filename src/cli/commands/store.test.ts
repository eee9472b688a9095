import { describe, expect, test } from 'vitest';
import { GiB, group, job, vaultId } from '../testing/samples.ts';
import { accepted, lines, world } from '../testing/scripted-service.ts';

describe('stores', () => {
  const store = {
    id: `${group}/providers/Holdfast.Fleet/stores/v1`,
    name: 'v1',
    type: 'Holdfast.Fleet/stores',
    location: 'local',
    properties: {
      vaultId,
      storeId: 'x',
      storePath: '/srv/h/v1',
      status: 'Ready',
      recoveryPoints: 2,
      chunks: 3,
      packs: 4,
      uniqueBytes: 3 * GiB,
      storedBytes: 1.5 * GiB,
      condemnedPacks: 1,
      condemnedBytes: 2048,
      quarantinedPacks: 1,
      compressionRatio: 2,
      deduplicationRatio: 3.14,
      verifyEveryDays: 30,
      lastVerification: {
        startedAt: '2026-11-21T04:00:00Z',
        endedAt: '2026-11-21T05:00:00Z',
        packs: 4,
        storedBytes: 1,
        points: 2,
        referencedBytes: 1,
        damagedPackCount: 1,
        damagedObjectCount: 0,
        damagedPointCount: 1,
        damagedPacks: [],
        damagedObjects: [],
        damagedPoints: [],
      },
      lastCollectedAt: '2026-11-21T05:30:00Z',
    },
  };
  const path = 'GROUP/providers/Holdfast.Fleet/stores/v1';

  test('are shown with what they hold and what is known to be damaged', async () => {
    const { run } = await world({ [`GET ${path}`]: store });
    expect(await run('store stats --vault v1')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Vault               v1',
        'Store               /srv/h/v1',
        'Status              ready',
        'Recovery points     2',
        'Chunks              3',
        'Content             3.0 GiB',
        'Stored              1.5 GiB',
        'Deduplication       3.14 : 1',
        'Compression         2.00 : 1',
        'Packs               4',
        'To be given back    2.0 KiB in 1 pack',
        'Damaged             1 pack',
        'Verified            2026-11-21 05:00 UTC (44 min ago)',
        '                    1 recovery point not whole, 1 damaged pack, 0 other damaged objects',
        'Verified by itself  every 30 days',
        'Collected           2026-11-21 05:30 UTC (14 min ago)',
      ),
    });
    expect(JSON.parse((await run('store stats --vault v1 -o json')).out)).toEqual(store);
  });

  test('are verified, mended and collected by jobs; a plan is shown with its job', async () => {
    const plan = job('Completed', [], {
      operation: 'RepairStore',
      entityFriendlyName: 'v1',
      extendedInfo: {
        tasksList: [],
        propertyBag: { Plan: 'rewrite packs/marker: it is missing\n1 to do, 0 lost for now' },
      },
    });
    const { run, received } = await world({
      [`POST ${path}/verify`]: () => accepted,
      [`POST ${path}/repair`]: () => accepted,
      [`POST ${path}/collect`]: () => accepted,
      [`PUT ${path}`]: store,
      'GET VAULT/backupJobs/j1': plan,
    });
    const sent = () => received.findLast(({ method }) => method === 'POST' || method === 'PUT')?.body;
    const { code, out } = await run('store repair --vault v1');
    expect(code).toBe(0);
    expect(out).toContain(
      '  rewrite packs/marker: it is missing\n  1 to do, 0 lost for now\nRepair store of v1: completed',
    );
    expect(sent()).toEqual({ properties: { execute: false } });
    await run('store repair --vault v1 --yes --no-wait');
    expect(sent()).toEqual({ properties: { execute: true } });
    await run('store verify --vault v1 --limit-rate 2M');
    expect(sent()).toEqual({ properties: { limitBytesPerSecond: 2 * 1024 * 1024 } });
    await run('store collect --vault v1 --dry-run --force');
    expect(sent()).toEqual({ properties: { dryRun: true, force: true } });
    await run('store set --vault v1 --verify-every 0');
    expect(sent()).toEqual({ properties: { verifyEveryDays: 0 } });
    expect((await run('store set --vault v1')).code).toBe(2);
    expect((await run('store verify --vault v1 --limit-rate slow')).code).toBe(2);
  });
});
