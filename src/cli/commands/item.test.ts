import { describe, expect, test } from 'vitest';
import { item, job, machine, point, vaultId } from '../testing/samples.ts';
import { accepted, lines, world } from '../testing/scripted-service.ts';

describe('protected items', () => {
  test('items and recovery points show states in words and times with their distance', async () => {
    const { run } = await world({
      'GET VAULT/backupProtectedItems': { value: [item] },
      'GET ITEM/recoveryPoints': { value: [point('7', '2026-11-21T05:00:00Z', ['InstantRP', 'HardenedRP'])] },
    });
    expect((await run('item list --vault v1')).out).toBe(
      lines(
        'VM     STATE      HEALTH   LAST BACKUP  WHEN                               POINTS  POLICY         NEXT BACKUP',
        'web-1  protected  Healthy  Completed    2026-11-21 05:00 UTC (44 min ago)       2  DefaultPolicy  -',
      ),
    );
    expect((await run('recovery-point list --vault v1 --vm web-1')).out).toBe(
      lines(
        'ID  TIME                               CONSISTENCY  TIER                 STORED  EXPIRES',
        '7   2026-11-21 05:00 UTC (44 min ago)  application  snapshot and vault  2.0 KiB  2026-12-21 05:00 UTC',
      ),
    );
  });

  test('protecting names the VM as the service knows it, waits for the job and says what comes next', async () => {
    const { run, received } = await world({
      'GET GROUP/providers/Holdfast.Fleet/virtualMachines/web-1': machine,
      'PUT ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'ConfigureBackup' }),
    });
    expect(await run('item enable --vault v1 --vm web-1 --exclude-disk vdb vdc')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Configure backup of web-1, job j1',
        'Configure backup of web-1: completed in 42 s',
        'Next: holdfast backup now --vm web-1 --vault v1',
      ),
    });
    expect(received.find(({ method }) => method === 'PUT')?.body).toEqual({
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: machine.id,
        policyId: `${vaultId}/backupPolicies/DefaultPolicy`,
        holdfast: { excludedDisks: ['vdb', 'vdc'] },
      },
    });
  });

  test('protecting anew keeps the policy unless another is named', async () => {
    const { run, received } = await world({
      'GET ITEM': { ...item, properties: { ...item.properties, policyName: 'Weekly' } },
      'GET GROUP/providers/Holdfast.Fleet/virtualMachines/web-1': machine,
      'PUT ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'ConfigureBackup' }),
    });
    await run('item enable --vault v1 --vm web-1 --exclude-disk vdb');
    await run('item enable --vault v1 --vm web-1 --policy DefaultPolicy');
    const policies = received
      .filter(({ method }) => method === 'PUT')
      .map(({ body }) => (body as { properties: { policyId: string } }).properties.policyId);
    expect(policies).toEqual([`${vaultId}/backupPolicies/Weekly`, `${vaultId}/backupPolicies/DefaultPolicy`]);
  });

  test('protecting anew says nothing of the disks unless asked, so that exclusions stay', async () => {
    const { run, received } = await world({
      'GET GROUP/providers/Holdfast.Fleet/virtualMachines/web-1': machine,
      'PUT ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'ConfigureBackup' }),
    });
    await run('item enable --vault v1 --vm web-1');
    await run('item enable --vault v1 --vm web-1 --include-all-disks');
    const [kept, reset] = received.filter(({ method }) => method === 'PUT');
    expect(kept?.body).not.toHaveProperty('properties.holdfast');
    expect(reset?.body).toHaveProperty('properties.holdfast', { excludedDisks: [] });
    const both = await run('item enable --vault v1 --vm web-1 --include-all-disks --exclude-disk vda');
    expect(both.code).toBe(2);
  });

  test('stopping keeps the data and works though the VM is gone', async () => {
    const { run, received } = await world({
      'GET ITEM': item,
      'PUT ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'DisableBackup' }),
    });
    expect((await run('item stop --vault v1 --vm web-1')).code).toBe(0);
    expect(received.find(({ method }) => method === 'PUT')?.body).toMatchObject({
      properties: { protectionState: 'ProtectionStopped', sourceResourceId: machine.id },
    });
  });

  test('deleting data takes the name typed once more, and says for how long it can be brought back', async () => {
    const { run, received } = await world({
      'GET ITEM': item,
      'DELETE ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', [], { operation: 'DeleteBackupData' }),
    });
    for (const confirm of ['', ' --confirm web-2']) {
      const refused = await run(`item stop --vault v1 --vm web-1 --delete-data${confirm}`);
      expect(refused.code).toBe(2);
      expect(refused.err).toMatch(/for 14 days it could be brought back/);
      expect(refused.err.includes("'web-2' is not the name of web-1")).toBe(confirm !== '');
    }
    expect((await run('item stop --vault v1 --vm web-1 --suspend --delete-data')).code).toBe(2);
    expect(received.some(({ method }) => method === 'DELETE')).toBe(false);
    const done = await run('item stop --vault v1 --vm web-1 --delete-data --confirm WEB-1');
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('Delete backup data of web-1') });
  });

  test('suspending, resuming, undeleting and other disks are one PUT each', async () => {
    let now = item;
    const { run, received } = await world({
      'GET ITEM': () => ({ body: now }),
      'PUT ITEM': () => accepted,
      'GET VAULT/backupJobs/j1': job('Completed', []),
    });
    const wish = async (line: string) => {
      received.length = 0;
      expect((await run(`${line} --vault v1 --vm web-1`)).code).toBe(0);
      const body = received.find(({ method }) => method === 'PUT')?.body as
        | { properties: Record<string, unknown> }
        | undefined;
      const { protectedItemType: _type, sourceResourceId: _source, ...rest } = body?.properties ?? {};
      return rest;
    };
    const enhanced = `${vaultId}/backupPolicies/EnhancedPolicy`;
    expect(await wish('item update --policy EnhancedPolicy')).toEqual({ policyId: enhanced });
    expect(await wish('item stop --suspend')).toEqual({ protectionState: 'BackupsSuspended' });
    expect((await run('item resume --vault v1 --vm web-1')).code).toBe(11);
    now = { ...item, properties: { ...item.properties, policyId: enhanced } };
    expect(await wish('item exclude --disk vdb vdc')).toEqual({
      policyId: enhanced,
      holdfast: { excludedDisks: ['vdb', 'vdc'] },
    });
    expect(await wish('item exclude --none')).toMatchObject({ holdfast: { excludedDisks: [] } });
    expect((await run('item exclude --vault v1 --vm web-1')).code).toBe(2);
    now = { ...item, properties: { ...item.properties, protectionState: 'ProtectionStopped' } };
    expect(await wish('item resume --policy EnhancedPolicy')).toEqual({ policyId: enhanced });
    const { policyName: _policy, ...stopped } = now.properties;
    const before = { ...stopped.holdfast, lastPolicyName: 'Weekly' };
    now = { ...now, properties: { ...stopped, holdfast: before } };
    expect(await wish('item resume')).toEqual({ policyId: `${vaultId}/backupPolicies/Weekly` });
    expect(await wish('item undelete')).toEqual({ isRehydrate: true, protectionState: 'ProtectionStopped' });
    expect((await run('item exclude --none --vault v1 --vm web-1')).code).toBe(2);
  });
});
