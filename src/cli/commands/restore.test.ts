import { describe, expect, test } from 'vitest';
import { job, point } from '../testing/samples.ts';
import { accepted, world } from '../testing/scripted-service.ts';

describe('restoring', () => {
  test('restoring the latest point takes the newest that the tier has, and none that a restore replaced', async () => {
    const replaced = point('4', '2026-11-22T05:00:00Z', ['InstantRP']);
    replaced.properties.holdfast.isBeforeRestore = true;
    const points = [
      replaced,
      point('1', '2026-11-19T05:00:00Z', ['HardenedRP']),
      point('3', '2026-11-21T05:00:00Z', ['InstantRP']),
      point('2', '2026-11-20T05:00:00Z', ['HardenedRP']),
    ];
    const { run, received } = await world({
      'GET ITEM/recoveryPoints': { value: points },
      'POST ITEM/recoveryPoints/2/restore': () => accepted,
      'POST ITEM/recoveryPoints/3/restore': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'Restore' }),
    });
    const common = '--vault v1 --vm web-1 --recovery-point latest';
    expect((await run(`restore disks ${common} --tier vault --to /r --format raw --disk vda`)).code).toBe(0);
    expect(
      (await run(`restore vm ${common} --name web-2 --directory /r2 --start --allow-damaged`)).code,
    ).toBe(0);
    expect(received.filter(({ method }) => method === 'POST').map(({ body }) => body)).toEqual([
      {
        properties: {
          objectType: 'IaasVMRestoreRequest',
          recoveryPointId: '2',
          recoveryType: 'RestoreDisks',
          storageAccountId: '/r',
          holdfast: { disks: ['vda'], tier: 'vault', diskFormat: 'raw' },
        },
      },
      {
        properties: {
          objectType: 'IaasVMRestoreRequest',
          recoveryPointId: '3',
          recoveryType: 'AlternateLocation',
          storageAccountId: '/r2',
          targetVirtualMachineId: 'web-2',
          holdfast: { connectNetwork: false, start: true, allowDamaged: true },
        },
      },
    ]);
  });

  test('restoring the latest point of none is "not found"', async () => {
    const { run } = await world({ 'GET ITEM/recoveryPoints': { value: [] } });
    const { code, err } = await run('restore disks --vault v1 --vm web-1 --recovery-point latest --to /r');
    expect(code).toBe(10);
    expect(err).toContain('Error ResourceNotFound: VM web-1 has no recovery point.\nWhat to do: ');
  });
});
