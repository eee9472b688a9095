import { once } from 'node:events';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, type HoldfastClient } from '../../src/api/client/index.ts';
import { updateItem } from '../../src/catalog/index.ts';
import { underPolicy } from '../../src/jobs/index.ts';
import type { SmallEstate } from '../../src/jobs/testing/small-estate.ts';
import { enhancedPolicy } from '../../src/protection/index.ts';
import { createStore, fileSystemBackend, openStore } from '../../src/store/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

const vault = { resourceGroup: 'default', vault: 'Main' };
const item = { ...vault, vmResourceGroup: 'default', vm: 'web' };
const now = { now: () => Temporal.Now.instant() };

let server: ApiServer;
let estate: SmallEstate;
let directory: string;
let client: HoldfastClient;
let endpoint: string;
let token: string;
let ca: string;

beforeEach(async () => {
  server = await createApiServer();
  ({ estate, directory, token, ca } = server);
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  client = createClient({ endpoint, token, ca });
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]); // nothing unexpected happened in the service
});

interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A request as a client of another make would send it. */
function raw(method: string, path: string, options: { token?: string; body?: string } = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const url = new URL(path, endpoint);
  if (!/[?&]api-version=/.test(url.search)) url.searchParams.append('api-version', '2023-02-01');
  const outgoing = request(
    url,
    {
      method,
      ca,
      headers: {
        ...(options.token === '' ? {} : { authorization: `Bearer ${options.token ?? token}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    },
    (answer) => {
      let body = '';
      answer.on('data', (chunk) => {
        body += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    },
  );
  outgoing.on('error', reject);
  outgoing.end(options.body);
  return promise;
}

const vaultUrl = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;
const itemUrl = `${vaultUrl}/backupFabrics/Azure/protectionContainers/x/protectedItems/vm%3Biaasvmcontainerv2%3Bdefault%3Bweb`;

const machineId = (group: string) =>
  `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/web`;

describe('policies', () => {
  const enhanced = {
    backupManagementType: 'AzureIaasVM',
    policyType: 'V2',
    schedulePolicy: {
      schedulePolicyType: 'SimpleSchedulePolicyV2',
      scheduleRunFrequency: 'Daily',
      dailySchedule: { scheduleRunTimes: ['2026-01-01T02:30:00Z'] },
    },
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      dailySchedule: {
        retentionTimes: ['2026-01-01T02:30:00Z'],
        retentionDuration: { count: 30, durationType: 'Days' },
      },
    },
    timeZone: 'Europe/Berlin',
  };

  it('are created, edited by one editor at a time, and deleted', async () => {
    const made = await client.policies.put(vault, 'Nightly', { properties: enhanced });
    if (!('eTag' in made)) throw new Error('it has no members');
    expect(made).toMatchObject({ name: 'Nightly', properties: { instantRpRetentionRangeInDays: 7 } });
    const edited = { properties: { ...made.properties, instantRpRetentionRangeInDays: 3 }, eTag: made.eTag };
    expect(await client.policies.put(vault, 'nightly', edited)).toMatchObject({
      name: 'Nightly',
      properties: { instantRpRetentionRangeInDays: 3 },
    });
    await expect(client.policies.put(vault, 'Nightly', edited)).rejects.toMatchObject({
      code: 'PreconditionFailed',
      status: 412,
    });
    await client.policies.delete(vault, 'Nightly');
    expect((await raw('DELETE', `${vaultUrl}/backupPolicies/Nightly`, { token })).status).toBe(204);
    await expect(client.policies.delete(vault, 'DefaultPolicy')).rejects.toMatchObject({
      code: 'ResourceInUse',
    });
  });

  it('are refused with every wrong field named', async () => {
    const wrong = { ...enhanced, timeZone: 'Mars', instantRpRetentionRangeInDays: 99, more: 1 };
    const refusal = await client.policies.put(vault, 'No', { properties: wrong }).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'BMSUserErrorInvalidPolicyInput', status: 400 });
    for (const part of ['name', 'timeZone', 'instantRpRetentionRangeInDays', 'properties.more'])
      expect(refusal.message).toContain(part);
    // And one by one, as Azure's clients know it.
    const { error } = refusal.body;
    const targets = ['name', 'timeZone', 'instantRpRetentionRangeInDays', 'more'];
    expect(
      error.details.map(({ target }: { target: string }) => target.replace('properties.', '')).sort(),
    ).toEqual(targets.sort());
    for (const { code, message } of error.details) {
      expect(code).toBe(error.code);
      expect(error.message).toContain(message);
    }
  });

  it('that are in use bring an edit to their VMs by an operation that names the jobs', async () => {
    const { properties, eTag } = await client.policies.get(vault, 'DefaultPolicy');
    const longer = structuredClone(properties);
    if (longer.retentionPolicy.dailySchedule)
      longer.retentionPolicy.dailySchedule.retentionDuration.count = 60;
    expect(
      await client.policies.previewEdit(vault, { policyName: 'DefaultPolicy', policyProperties: longer }),
    ).toMatchObject({ members: [{ vm: 'web', effect: 'configure', longer: 0, shorter: 0 }] });
    const accepted = await client.policies.put(vault, 'DefaultPolicy', { properties: longer, eTag });
    if (!('statusPath' in accepted)) throw new Error('it was not accepted');
    expect(accepted.statusPath).toMatch(/backupPolicies\/DefaultPolicy\/operations\//);
    const { properties: done } = await client.operations.wait(accepted);
    expect(done).toMatchObject({ objectType: 'OperationStatusJobsExtendedInfo', failedJobsError: {} });
    expect(await client.jobs.get(vault, done?.jobIds?.[0] ?? '')).toMatchObject({
      properties: { operation: 'ConfigureBackup', status: 'Completed', entityFriendlyName: 'web' },
    });
    const results = accepted.statusPath.replace('/operations/', '/operationResults/');
    expect(JSON.parse((await raw('GET', results)).body)).toMatchObject({
      properties: { retentionPolicy: { dailySchedule: { retentionDuration: { count: 60 } } } },
    });
  });

  it('are previewed, saved or not', async () => {
    const from = '2026-03-28T00:00:00Z';
    const to = '2026-03-31T00:00:00Z';
    const { points } = await client.policies.preview(vault, { policyProperties: enhanced, from, to });
    expect(points.map(({ time, expiryTime }) => [time, expiryTime])).toEqual([
      ['2026-03-28T01:30:00Z', '2026-04-27T00:30:00Z'],
      ['2026-03-29T01:30:00Z', '2026-04-28T01:30:00Z'],
      ['2026-03-30T00:30:00Z', '2026-04-29T00:30:00Z'],
    ]);
    expect((await client.policies.preview(vault, { policyName: 'defaultpolicy' })).points).toHaveLength(14);
    await expect(client.policies.preview(vault, {})).rejects.toMatchObject({ code: 'InvalidInput' });
  });
});

describe('the main road over the API', () => {
  it('protects, backs up, lists and restores', async () => {
    const enabled = await client.items.put(item, {
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web`,
        policyId: await client.policies.id(vault, 'DefaultPolicy'),
        holdfast: { excludedDisks: ['vdb'] },
      },
    });
    await client.operations.wait(enabled);
    expect((await client.items.get(item)).properties).toMatchObject({
      protectionState: 'IRPending',
      policyName: 'DefaultPolicy',
      lastBackupTime: '2001-01-01T00:00:00Z',
      // enabling has looked at the guest's agent
      healthStatus: 'ActionSuggested',
      healthDetails: [
        { title: 'UserErrorGuestAgentStatusUnavailable', recommendations: [expect.any(String)] },
      ],
      holdfast: { excludedDisks: ['vdb'], agent: { status: 'absent', canFreeze: false } },
    });

    estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(5000).fill(1));
    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    const jobId = await client.operations.jobOf(backup);
    await estate.settled(jobId);
    const job = await client.jobs.get(vault, jobId);
    expect(job.properties).toMatchObject({
      status: 'Completed',
      operation: 'Backup',
      entityFriendlyName: 'web',
      isUserTriggered: true,
      extendedInfo: {
        tasksList: [
          { taskId: 'Take Snapshot', status: 'Completed' },
          { taskId: 'Transfer data to vault', status: 'Completed', progressPercentage: 100 },
        ],
        propertyBag: { 'VM Name': 'web', 'Backed-up disk(s)': 'vda', 'Excluded disk(s)': 'vdb' },
      },
    });
    expect(job.properties.duration).toMatch(/^PT/);

    const [point] = await client.recoveryPoints.list(item);
    expect(point?.properties).toMatchObject({
      recoveryPointType: 'CrashConsistent',
      recoveryPointTierDetails: [{ type: 'InstantRP' }, { type: 'HardenedRP' }],
      recoveryPointDiskConfiguration: {
        numberOfDisksAttachedToVm: 2,
        includedDiskList: [{ lun: -1, name: 'vda' }],
        excludedDiskList: [{ lun: 0, name: 'vdb' }],
      },
    });
    const target = join(directory, 'out');
    const restore = await client.recoveryPoints.restore(item, point?.name ?? '', {
      properties: {
        objectType: 'IaasVMRestoreRequest',
        recoveryType: 'RestoreDisks',
        storageAccountId: target,
      },
    });
    await estate.settled(await client.operations.jobOf(restore));
    const image = (await readdir(target)).find((name) => name.endsWith('vda.raw'));
    expect(
      (await readFile(join(target, image ?? ''))).equals(estate.host.contentOf(estate.vmUuid, 'vda')),
    ).toBe(true);
    const names = (await client.jobs.list(vault, { operation: 'Restore' })).map(
      (found) => found.properties.status,
    );
    expect(names).toEqual(['Completed']);
    expect((await client.items.get(item)).properties).toMatchObject({
      protectionState: 'Protected',
      lastBackupStatus: 'Completed',
    });
  });

  it('creates a vault with its policy and a store on disk, once', async () => {
    const other = { resourceGroup: 'default', vault: 'Second' };
    const made = await client.vaults.put(other, { location: 'local' });
    expect(made.properties.holdfast).toMatchObject({ status: 'Ready', protectedItems: 0, recoveryPoints: 0 });
    expect((await client.policies.list(other)).map((policy) => policy.name)).toEqual([
      'DefaultPolicy',
      'EnhancedPolicy',
    ]);
    const again = await client.vaults.put(other, { location: 'local', tags: { owner: 'ops' } });
    expect(again.properties.holdfast.storeId).toBe(made.properties.holdfast.storeId);
    expect(again.tags).toEqual({ owner: 'ops' });
    await expect(client.vaults.put(other, { location: 'elsewhere' })).rejects.toMatchObject({
      code: 'ResourceAlreadyExists',
    });
    await client.vaults.delete(other);
    await expect(client.vaults.get(other)).rejects.toMatchObject({ code: 'ResourceNotFound', status: 404 });
    await expect(client.vaults.delete(vault)).rejects.toMatchObject({
      code: 'BMSUserErrorVaultDeletionNotAllowed',
    });
  });

  it('leaves no store behind where the vault can not be written down', async () => {
    const { db } = estate.workshop;
    await sql`create trigger no_vaults before insert on vaults begin select raise(abort, 'full'); end`.execute(
      db,
    );
    const empty = join(directory, 'empty');
    await mkdir(empty);
    for (const storePath of [join(directory, 'new'), empty]) {
      const body = { location: 'local', properties: { holdfast: { storePath } } };
      await expect(
        client.vaults.put({ resourceGroup: 'default', vault: 'Third' }, body),
      ).rejects.toMatchObject({
        code: 'InternalError',
      });
    }
    expect(server.errors.splice(0)).toHaveLength(2);
    expect((await readdir(directory)).sort()).toEqual(['empty', 'keys', 'tls']); // a directory of the user's stays
    expect(await readdir(join(directory, 'keys'))).toEqual([]);
    await sql`drop trigger no_vaults`.execute(db);
    const at = { resourceGroup: 'default', vault: 'Third' };
    const storePath = join(directory, 'new');
    await client.vaults.put(at, { location: 'local', properties: { holdfast: { storePath } } });
    await expect(
      client.vaults.put(
        { ...at, vault: 'Fourth' },
        { location: 'local', properties: { holdfast: { storePath } } },
      ),
    ).rejects.toMatchObject({ status: 409 });
    expect((await client.vaults.get(at)).properties.holdfast.status).toBe('Ready'); // the refused one removed nothing
    expect(await readdir(storePath)).toContain('holdfast-store');
  });

  it('lists the machines of the hosts with how they are protected', async () => {
    estate.host.addMachine('db', { vda: 4096 });
    const machines = await client.virtualMachines.list();
    expect(machines.map((machine) => [machine.name, machine.properties.protection.state])).toEqual([
      ['db', 'NotProtected'],
      ['web', 'Protected'],
    ]);
    expect((await client.virtualMachines.get('default', 'DB')).properties.protection.obstacles).toEqual([]);
    expect((await client.hosts.list())[0]).toMatchObject({
      name: 'memory',
      properties: { status: 'Connected', virtualMachines: 2 },
    });
  });

  it.each([
    ["policyName eq 'defaultpolicy' and friendlyName eq 'WEB'", 1],
    ["containerName eq 'iaasvmcontainerv2;default;web'", 1],
    ["containerName eq 'IaasVMContainer;iaasvmcontainerv2;default;web'", 1],
    ["backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'", 1],
    ["policyName eq 'Other'", 0],
    ["friendlyName eq 'db'", 0],
    ["containerName eq 'iaasvmcontainerv2;default;db'", 0],
    ["backupManagementType eq 'AzureStorage'", 0],
    ["itemType eq 'AzureFileShare'", 0],
  ])('filters protected items by %s', async (filter, found) => {
    const answer = await raw('GET', `${vaultUrl}/backupProtectedItems?$filter=${encodeURIComponent(filter)}`);
    expect(JSON.parse(answer.body).value).toHaveLength(found);
  });

  it('says that a job can be cancelled only while it can', async () => {
    const taking = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    estate.host.onCall = (operation) => {
      if (operation !== 'takePoint') return;
      asked.resolve();
      return taking.promise;
    };
    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    const jobId = await client.operations.jobOf(backup);
    await asked.promise;
    const shown = (await client.jobs.get(vault, jobId)).properties.actionsInfo;
    const accepted = await raw('POST', `${vaultUrl}/backupJobs/${jobId}/cancel`);
    expect([shown !== undefined, accepted.status === 202]).toEqual([true, true]);
    expect((await client.jobs.get(vault, jobId)).properties).not.toHaveProperty('actionsInfo');
    taking.resolve();
    await estate.settled(jobId);
    expect((await client.jobs.get(vault, jobId)).properties).not.toHaveProperty('actionsInfo');
  });

  it('stops protection by an empty policy, as older clients do', async () => {
    const stop = await client.items.put(item, {
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: machineId('default'),
        policyId: '',
      },
    });
    await client.operations.wait(stop);
    expect((await client.items.get(item)).properties.protectionState).toBe('ProtectionStopped');
  });

  it('refuses what contradicts the path', async () => {
    const put = (sourceResourceId: string, policyId: string) =>
      client.items.put(item, {
        properties: { protectedItemType: 'Microsoft.Compute/virtualMachines', sourceResourceId, policyId },
      });
    const policyId = await client.policies.id({ ...vault, vault: 'Other' }, 'DefaultPolicy');
    await expect(put(machineId('elsewhere'), 'DefaultPolicy')).rejects.toMatchObject({
      code: 'InvalidInput',
    });
    await expect(put(machineId('default'), policyId)).rejects.toMatchObject({ code: 'InvalidInput' });

    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    await estate.settled(await client.operations.jobOf(backup));
    const [point] = await client.recoveryPoints.list(item);
    for (const wrong of [
      { recoveryPointId: 'another' },
      { sourceResourceId: machineId('elsewhere') },
      { region: 'elsewhere' },
    ]) {
      await expect(
        client.recoveryPoints.restore(item, point?.name ?? '', {
          properties: {
            objectType: 'IaasVMRestoreRequest',
            recoveryType: 'RestoreDisks',
            storageAccountId: join(directory, 'out'),
            ...wrong,
          },
        }),
      ).rejects.toMatchObject({ code: 'InvalidInput' });
    }
  });

  it('stops protection, keeps what is in the vault, and backs up no more', async () => {
    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    await estate.settled(await client.operations.jobOf(backup));
    const stop = await client.items.put(item, {
      properties: {
        protectedItemType: 'Microsoft.Compute/virtualMachines',
        sourceResourceId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web`,
        protectionState: 'ProtectionStopped',
      },
    });
    await client.operations.wait(stop);
    expect(await estate.host.listPoints(estate.vmUuid)).toEqual([]);
    const [point] = await client.recoveryPoints.list(item);
    expect(point?.properties.recoveryPointTierDetails).toEqual([{ type: 'HardenedRP', status: 'Valid' }]);
    await expect(
      client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } }),
    ).rejects.toMatchObject({ code: 'UserErrorBcmDatasourceNotPresent' });
  });
});

describe('stores', () => {
  const storeUrl = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Holdfast.Fleet/stores/Main`;

  async function backedUp(): Promise<void> {
    estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(300_000).fill(7));
    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    await estate.settled(await client.operations.jobOf(backup));
  }

  async function ended(accepted: Parameters<typeof client.operations.jobOf>[0]) {
    const jobId = await client.operations.jobOf(accepted);
    await estate.settled(jobId);
    return (await client.jobs.get(vault, jobId)).properties;
  }

  const damage = (at: number) => {
    const [name = ''] = [...estate.backend.objects.keys()].filter((object) => object.endsWith('.pack'));
    const pack = estate.backend.objects.get(name) ?? Buffer.alloc(0);
    pack[at] = (pack[at] ?? 0) ^ 1;
  };

  it('are shown with their figures, and verified, mended and collected as jobs', async () => {
    await backedUp();
    expect((await client.stores.get(vault)).properties).toMatchObject({
      status: 'Ready',
      recoveryPoints: 1,
      packs: 1,
      quarantinedPacks: 0,
      verifyEveryDays: 30,
    });
    expect(
      await ended(await client.stores.verify(vault, { properties: { limitBytesPerSecond: 2 ** 30 } })),
    ).toMatchObject({
      operation: 'VerifyStore',
      status: 'Completed',
      entityFriendlyName: 'Main',
    });
    const sound = (await client.stores.get(vault)).properties;
    expect(sound.lastVerification).toMatchObject({ damagedPackCount: 0, points: 1 });
    expect(sound.deduplicationRatio).toBeGreaterThan(1); // the same content in every chunk
    expect(sound.compressionRatio).toBeGreaterThan(1);
    damage(3);
    const warned = await ended(await client.stores.verify(vault));
    expect(warned.status).toBe('CompletedWithWarnings');
    expect((await client.stores.get(vault)).properties).toMatchObject({ quarantinedPacks: 1 });
    const plan = await ended(await client.stores.repair(vault));
    expect(plan).toMatchObject({ operation: 'RepairStore', status: 'Completed' });
    expect(plan.extendedInfo?.propertyBag.Plan).toContain('its header is damaged');
    expect((await client.stores.get(vault)).properties).toMatchObject({ quarantinedPacks: 1 });
    expect((await ended(await client.stores.repair(vault, { properties: { execute: true } }))).status).toBe(
      'Completed',
    );
    expect((await client.stores.get(vault)).properties).toMatchObject({ quarantinedPacks: 0 });
    const collected = await ended(await client.stores.collect(vault, { properties: { dryRun: true } }));
    expect(collected).toMatchObject({ operation: 'CollectStore', status: 'Completed' });
    expect((await client.stores.get(vault)).properties.lastCollectedAt).toBe(undefined);
    await ended(await client.stores.collect(vault));
    expect((await client.stores.get(vault)).properties.lastCollectedAt).toMatch(/Z$/);
    expect((await client.jobs.list(vault, { operation: 'VerifyStore' })).length).toBe(2);
  });

  it('name what damage touches, and a restore brings back what is left only on request', async () => {
    await backedUp();
    damage(20);
    const failed = await ended(await client.stores.verify(vault));
    expect(failed.status).toBe('Failed');
    expect(failed.errorDetails?.[0]).toMatchObject({ errorTitle: 'StoreDamaged' });
    expect(failed.errorDetails?.[0]?.errorString).toMatch(/web, point .*: vda \d+ bytes in/);
    const { lastVerification } = (await client.stores.get(vault)).properties;
    expect(lastVerification?.damagedPoints[0]).toMatchObject({ vm: 'web', disks: [{ target: 'vda' }] });
    const [point] = await client.recoveryPoints.list(item);
    const restore = async (allowDamaged: boolean) =>
      ended(
        await client.recoveryPoints.restore(item, point?.name ?? '', {
          properties: {
            objectType: 'IaasVMRestoreRequest',
            recoveryType: 'RestoreDisks',
            storageAccountId: join(directory, 'restored'),
            holdfast: { tier: 'vault', ...(allowDamaged ? { allowDamaged } : {}) },
          },
        }),
      );
    const refused = await restore(false);
    expect(refused.status).toBe('Failed');
    expect(refused.errorDetails?.[0]?.recommendations[0]).toContain('--allow-damaged');
    const restored = await restore(true);
    expect(restored.status).toBe('CompletedWithWarnings');
    expect(restored.extendedInfo?.propertyBag['Unreadable stretches']).toMatch(/^vda: /);
  });

  it('keep their setting, and refuse one that makes no sense', async () => {
    await client.stores.put(vault, { properties: { verifyEveryDays: 7 } });
    expect((await client.stores.get(vault)).properties.verifyEveryDays).toBe(7);
    await client.stores.put(vault, { properties: { verifyEveryDays: null } });
    expect((await client.stores.get(vault)).properties.verifyEveryDays).toBe(30);
    for (const body of [
      '{}',
      '{"properties":{"verifyEveryDays":-1}}',
      '{"properties":{"verifyEveryDays":1.5}}',
    ]) {
      const answer = await raw('PUT', storeUrl, { body });
      expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([400, 'InvalidInput']);
    }
    expect((await raw('GET', `${storeUrl}x`)).status).toBe(404);
    expect((await raw('POST', `${storeUrl}/verify`, { body: '{"properties":{"fast":true}}' })).status).toBe(
      400,
    );
    const started = await raw('POST', `${storeUrl}/collect`);
    expect(started.status).toBe(202);
    expect((await raw('GET', new URL(String(started.headers.location)).pathname)).status).toBe(204);
  });
});

describe('hosts', () => {
  const memory = { location: 'local', properties: { uri: 'memory:' } };

  it('touches nothing when a host is put again as it is', async () => {
    const before = await estate.workshop.estate.host('memory');
    const opened: string[] = [];
    estate.host.onCall = (operation) => void opened.push(String(operation));
    await client.hosts.put('default', 'memory', memory);
    expect(await estate.workshop.estate.host('memory')).toBe(before);
    expect(opened.sort()).toEqual(['facts', 'listMachines']); // what the answer shows
  });

  it('refuses a connection that another host has, however it is written', async () => {
    const over = (uri: string) => ({ location: 'local', properties: { uri } });
    await client.hosts.put('default', 'first', over('qemu:///session?socket=/srv/libvirt//sock'));
    for (const uri of [
      'qemu+unix:///session?socket=/srv/libvirt/sock',
      'qemu:///session?socket=/srv/../srv/libvirt/sock',
      'qemu:///session?socket=%2Fsrv%2Flibvirt%2Fsock',
    ])
      await expect(client.hosts.put('default', 'second', over(uri)), uri).rejects.toMatchObject({
        code: 'ResourceAlreadyExists',
      });
  });

  it('refuses another connection while a job or the maintenance of one of its VMs runs', async () => {
    const taking = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    estate.host.onCall = (operation) => {
      if (operation !== 'takePoint') return;
      asked.resolve();
      return taking.promise;
    };
    const backup = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    const jobId = await client.operations.jobOf(backup);
    await asked.promise;
    const moved = { location: 'local', properties: { uri: 'memory:other' } };
    await expect(client.hosts.put('default', 'memory', moved)).rejects.toMatchObject({
      code: 'ResourceInUse',
      message: expect.stringContaining("'web'"),
    });
    taking.resolve();
    await estate.settled(jobId);
    {
      await using _held = await estate.workshop.phases.tryEnter('maintenance', estate.itemId);
      await expect(client.hosts.put('default', 'memory', moved)).rejects.toMatchObject({
        code: 'ResourceInUse',
      });
    }
    expect((await client.hosts.get('default', 'memory')).properties.uri).toBe('memory:');
    expect((await client.hosts.put('default', 'memory', moved)).properties.uri).toBe('memory:other');
  });

  it('puts a host into an extended zone only where the protection of its VMs allows it', async () => {
    const inZone = { ...memory, extendedLocation: { name: 'z1', type: 'EdgeZone' as const } };
    const put = (body: Parameters<typeof client.hosts.put>[2]) => client.hosts.put('default', 'memory', body);
    await expect(put(inZone)).rejects.toMatchObject({
      code: 'UserErrorExtendedZoneNeedsEnhancedPolicy',
      message: expect.stringContaining("'web'"),
    });
    await expect(put({ ...memory, location: 'east' })).rejects.toMatchObject({
      code: 'UserErrorVaultAndVmInDifferentRegions',
    });
    const { db } = estate.workshop;
    await updateItem(db, estate.itemId, underPolicy(enhancedPolicy, estate.now));
    const before = await estate.workshop.estate.host('memory');
    expect(await put(inZone)).toMatchObject({ location: 'local', extendedLocation: { name: 'z1' } });
    expect(await estate.workshop.estate.host('memory')).toBe(before);
    expect(await client.virtualMachines.get('default', 'web')).toMatchObject({
      extendedLocation: { name: 'z1', type: 'EdgeZone' },
    });
    const standard = { policyId: `${vaultUrl}/backupPolicies/DefaultPolicy` };
    await expect(
      client.items.put(item, {
        properties: {
          protectedItemType: 'Microsoft.Compute/virtualMachines',
          sourceResourceId: machineId('default'),
          ...standard,
        },
      }),
    ).rejects.toMatchObject({ code: 'UserErrorExtendedZoneNeedsEnhancedPolicy' });
    const other = { ...inZone, location: 'east', properties: { uri: 'memory:2' } };
    await expect(client.hosts.put('default', 'second', other)).rejects.toMatchObject({
      code: 'UserErrorZoneOfOtherRegion',
    });
    const unnamed = { ...inZone, extendedLocation: { name: 'a b', type: 'EdgeZone' as const } };
    await expect(put(unnamed)).rejects.toMatchObject({ code: 'InvalidInput' });
  });

  it('connects one URI once', async () => {
    await expect(client.hosts.put('default', 'second', memory)).rejects.toMatchObject({
      code: 'ResourceAlreadyExists',
      message: expect.stringContaining("'memory'"),
    });
    expect(await client.hosts.list()).toHaveLength(1);
  });
});

describe('the replica of a vault', () => {
  const backUp = async () => {
    estate.now = estate.now.add({ seconds: 1 });
    const accepted = await client.items.backup(item, { properties: { objectType: 'IaasVMBackupRequest' } });
    await estate.settled(await client.operations.jobOf(accepted));
    await estate.replicated();
  };
  const path = () => join(directory, 'second');
  const set = (properties: Parameters<typeof client.replica.put>[1]['properties']) =>
    client.replica.put(vault, { properties });
  const synced = async (force = false) => {
    const accepted = await client.replica.sync(vault, { properties: { force } });
    const jobId = await client.operations.jobOf(accepted);
    await estate.settled(jobId);
    expect(await client.operations.wait(accepted)).toMatchObject({ status: 'Succeeded' });
    return (await client.jobs.get(vault, jobId)).properties;
  };

  it('is set up, kept up to date, changed, restored from, and let go of', async () => {
    await expect(client.replica.get(vault)).rejects.toMatchObject({ code: 'ResourceNotFound' });
    await expect(client.replica.sync(vault, { properties: {} })).rejects.toMatchObject({
      code: 'ResourceNotFound',
    });
    estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(300_000).fill(7));
    await backUp();
    const made = await set({ storePath: path() });
    expect(made).toMatchObject({
      type: 'Holdfast.Fleet/replicas',
      properties: { storePath: path(), status: 'Ready', retention: { mode: 'Follow' } },
    });
    expect(made.properties.jobId).toBeDefined(); // the first replication begins at once
    await estate.replicated();
    expect((await client.replica.get(vault)).properties).toMatchObject({
      recoveryPoints: 1,
      lag: { recoveryPoints: 0, bytes: 0 },
      lastCompletedTime: expect.any(String),
    });
    await backUp();
    const job = await synced();
    expect(job).toMatchObject({ operation: 'Replicate', status: 'Completed', entityFriendlyName: 'Main' });
    expect(job.extendedInfo?.tasksList.map(({ status }) => status)).toEqual([
      'Completed',
      'Completed',
      'Skipped',
    ]);
    expect(job.extendedInfo?.propertyBag).not.toHaveProperty('VM Name');
    expect(await client.jobs.list(vault, { operation: 'Replicate' })).toHaveLength(3);

    expect(
      await set({ retention: { mode: 'Keep', count: 5, days: 90 }, bytesPerSecond: 2 ** 20 }),
    ).toMatchObject({
      properties: {
        retention: { mode: 'Keep', count: 5, days: 90 },
        bytesPerSecond: 2 ** 20,
        storePath: path(),
      },
    });
    expect((await set({ bytesPerSecond: null })).properties).not.toHaveProperty('bytesPerSecond');

    const [point] = await client.recoveryPoints.list(item);
    expect(point?.properties.holdfast.inReplica).toBe(true);
    const restored = await client.recoveryPoints.restore(item, point?.name ?? '', {
      properties: {
        objectType: 'IaasVMRestoreRequest',
        recoveryType: 'RestoreDisks',
        storageAccountId: join(directory, 'restored'),
        holdfast: { from: 'replica' },
      },
    });
    await estate.settled(await client.operations.jobOf(restored));
    const image = await readFile(join(directory, 'restored', `web-${point?.name}-vda.raw`));
    expect(image.equals(estate.host.contentOf(estate.vmUuid, 'vda'))).toBe(true);

    expect((await client.replica.get(vault)).properties).toMatchObject({
      packs: 1,
      quarantinedPacks: 0,
      condemnedPacks: 0,
      chunks: expect.any(Number),
      compressionRatio: expect.any(Number),
    });
    const repair = await client.operations.jobOf(
      await client.replica.repair(vault, { properties: { execute: true } }),
    );
    await estate.settled(repair);
    expect(await client.jobs.get(vault, repair)).toMatchObject({
      properties: {
        operation: 'RepairStore',
        status: 'Completed',
        extendedInfo: { propertyBag: { Store: 'replica', Plan: 'nothing to repair' } },
      },
    });

    await client.replica.delete(vault);
    await expect(client.replica.get(vault)).rejects.toMatchObject({ code: 'ResourceNotFound' });
    await expect(client.replica.repair(vault)).rejects.toMatchObject({ code: 'ResourceNotFound' });
    expect((await client.recoveryPoints.list(item))[0]?.properties.holdfast.inReplica).toBe(false);
    // The store stays as it is, for anybody, and for the vault again.
    {
      const unlock = [{ kind: 'recovery' as const, text: made.properties.encryption.recoveryKey ?? '' }];
      await using alone = await openStore(fileSystemBackend(path()), { clock: now, unlock });
      expect((await alone.listPoints()).points).toHaveLength(2);
    }
    await set({ storePath: path() });
    await estate.replicated();
    expect((await client.replica.get(vault)).properties).toMatchObject({
      recoveryPoints: 2,
      lag: { recoveryPoints: 0 },
    });
  });

  it('is encrypted with keys of its own, which are shown once, and taken over only with one of them', async () => {
    await backUp();
    const { encryption } = (await set({ storePath: path() })).properties;
    expect(encryption).toMatchObject({
      state: 'Enabled',
      keyFile: expect.stringMatching(/replica-.*\.key$/),
    });
    expect((await client.replica.get(vault)).properties.encryption.recoveryKey).toBeUndefined();
    const keyFile = encryption.keyFile ?? '';
    const removed = async () => {
      await estate.replicated();
      await client.replica.delete(vault);
    };
    await removed();
    const taken = await set({ storePath: path() }); // with the key file of before
    expect(taken.properties.encryption).toEqual({ state: 'Enabled', keyFile });
    await removed();

    await rm(keyFile);
    await expect(set({ storePath: path() })).rejects.toMatchObject({ code: 'StoreKeyRequired' });
    const wrong = { kind: 'Passphrase' as const, secret: 'something else entirely' };
    await expect(set({ storePath: path(), unlock: wrong })).rejects.toMatchObject({ code: 'StoreKeyWrong' });
    const right = { kind: 'RecoveryKey' as const, secret: encryption.recoveryKey ?? '' };
    expect((await set({ storePath: path(), unlock: right })).properties).toMatchObject({
      status: 'Ready',
      recoveryPoints: 1,
      encryption: { state: 'Enabled', keyFile },
    });
    await removed();
    expect((await set({ storePath: path() })).properties.status).toBe('Ready'); // with the new key file
    await removed();

    const plain = join(directory, 'plain');
    const disabled = { state: 'Disabled' as const };
    await expect(
      set({ storePath: plain, encryption: { ...disabled, passphrase: 'of no use at all' } }),
    ).rejects.toMatchObject({ code: 'InvalidInput' });
    expect((await set({ storePath: plain, encryption: disabled })).properties.encryption).toEqual(disabled);
    await removed();
  });

  it('is told to be behind, and why, when its store is away', async () => {
    await set({ storePath: path() });
    await estate.replicated();
    await estate.workshop.estate.closeReplica('v1');
    await rm(path(), { recursive: true });
    await backUp();
    const { properties } = await client.replica.get(vault);
    expect(properties).toMatchObject({
      status: 'Unavailable',
      statusMessage: expect.stringContaining(path()),
      lag: { recoveryPoints: 1, since: expect.any(String) },
      lastError: { code: 'StoreNotFound' },
    });
  });

  it('is refused where it would be of no use, and nothing is made', async () => {
    const own = join(directory, 'own');
    await client.vaults.put(
      { ...vault, vault: 'Other' },
      {
        location: 'local',
        properties: { holdfast: { storePath: own } },
      },
    );
    await expect(set({})).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(set({ storePath: own })).rejects.toMatchObject({
      code: 'ReplicaNotUsable',
      message: expect.stringContaining("store of vault 'Other'"),
    });
    await expect(set({ storePath: join(own, 'inside') })).rejects.toMatchObject({ code: 'ReplicaNotUsable' });
    await expect(set({ storePath: directory })).rejects.toMatchObject({ code: 'ReplicaNotUsable' });
    const foreign = join(directory, 'foreign');
    {
      await using store = await createStore(fileSystemBackend(foreign), { clock: now });
      await using writer = await store.beginPoint({ itemId: 'a', pointId: 'b' });
      await writer.commit({ createdAt: '2026-01-01T00:00:00Z', disks: [], metadata: {} });
    }
    await expect(set({ storePath: foreign })).rejects.toMatchObject({
      code: 'ReplicaNotUsable',
      message: expect.stringContaining('recovery point b'),
    });
    {
      await using _open = await openStore(fileSystemBackend(foreign), { clock: now }); // it was let go of
    }
    await expect(client.replica.get(vault)).rejects.toMatchObject({ code: 'ResourceNotFound' });
    await set({ storePath: path() });
    await expect(set({ storePath: join(directory, 'third') })).rejects.toMatchObject({
      code: 'ResourceAlreadyExists',
    });
    await expect(readdir(join(directory, 'third'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(
      raw('PUT', `${vaultUrl}/providers/Holdfast.Fleet/replicas/default`, {
        body: JSON.stringify({ properties: { retention: { mode: 'Keep' } } }),
      }),
    ).resolves.toMatchObject({ status: 400 });
    await estate.replicated();
  });

  it('is not let go of while it is being brought up to date', async () => {
    await set({ storePath: path() });
    await estate.replicated();
    {
      await using _busy = await estate.workshop.phases.tryEnter('replication', 'v1');
      await expect(client.replica.delete(vault)).rejects.toMatchObject({ code: 'ResourceInUse' });
    }
    await client.replica.delete(vault);
  });
});

describe('the protocol', () => {
  it('answers nobody without the token', async () => {
    for (const given of ['', 'wrong']) {
      const answer = await raw('GET', '/subscriptions', { token: given });
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.body).error.code).toBe('Unauthorized');
    }
  });

  it('matches paths without regard to case and takes encoded names', async () => {
    const odd = itemUrl.replace('/subscriptions/', '/Subscriptions/').replace('vaults/Main', 'VAULTS/mAIN');
    expect((await raw('GET', `${odd}?api-version=2016-06-01`)).status).toBe(200);
    expect((await raw('GET', `${itemUrl}/`)).status).toBe(200);
  });

  it('answers a client that does not say which host it means', async () => {
    const { hostname, port } = new URL(endpoint);
    const socket = connect({ host: hostname, port: Number(port), ca });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    socket.write(
      `POST ${itemUrl}/backup?api-version=2026-07-01 HTTP/1.0\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n` +
        'content-length: 52\r\n\r\n{"properties":{"objectType":"IaasVMBackupRequest"}} ',
    );
    await once(socket, 'close');
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 202 /);
    const location = /^location: (.+)\r$/im.exec(answer)?.[1] ?? '';
    expect(location).toMatch(new RegExp(`^${endpoint}/`));
    expect(location).toContain('iaasvmcontainerv2%3Bdefault%3Bweb');
    const status = location.replace('operationResults', 'operationsStatus');
    const { properties } = JSON.parse((await raw('GET', new URL(status).pathname)).body);
    await estate.settled(properties.jobId);
  });

  it('points a 202 to its operation, at both addresses', async () => {
    const answer = await raw('POST', `${itemUrl}/backup?api-version=2023-06-01`, {
      body: JSON.stringify({ properties: { objectType: 'IaasVMBackupRequest' } }),
    });
    expect(answer.status).toBe(202);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    const status = await raw('GET', new URL(String(answer.headers['azure-asyncoperation'])).pathname);
    expect(JSON.parse(status.body)).toMatchObject({
      status: 'Succeeded',
      properties: { objectType: 'OperationStatusJobExtendedInfo' },
    });
    await estate.settled(JSON.parse(status.body).properties.jobId);
    const result = await raw('GET', new URL(String(answer.headers.location)).pathname);
    expect(result.status).toBe(204);
  });

  it.each([
    ['GET', '/nowhere', undefined, 404, 'ResourceNotFound'],
    ['GET', '/subscriptions/other', undefined, 404, 'ResourceNotFound'],
    ['GET', `${vaultUrl}x`, undefined, 404, 'ResourceNotFound'],
    ['PUT', `${vaultUrl.slice(0, -4)}1bad`, '{}', 400, 'InvalidInput'],
    ['PUT', `${vaultUrl.slice(0, -4)}Fine`, '{"properties":{"surprise":1}}', 400, 'InvalidInput'],
    ['PUT', `${vaultUrl.slice(0, -4)}Fine`, '{', 400, 'InvalidInput'],
    ['POST', `${itemUrl}/backup`, '{"properties":{"objectType":"Other"}}', 400, 'InvalidInput'],
    ['POST', `${itemUrl}/backup`, undefined, 400, 'InvalidInput'],
    ['DELETE', `${itemUrl}x`, undefined, 404, 'ResourceNotFound'],
    ['GET', `${vaultUrl}/backupJobs?$filter=status%20is%20bad`, undefined, 400, 'InvalidInput'],
    ['GET', `${vaultUrl}/backupJobs?$filter=status%20eq%20'Done'`, undefined, 400, 'InvalidInput'],
    ['GET', `${vaultUrl}/backupJobs?$filter=operation%20eq%20'Nap'`, undefined, 400, 'InvalidInput'],
    ['GET', `${vaultUrl}/backupJobs?$filter=backupManagementType%20eq%20'X'`, undefined, 400, 'InvalidInput'],
    ['GET', `${vaultUrl}/backupProtectedItems?$filter=color%20eq%20'red'`, undefined, 400, 'InvalidInput'],
    ['GET', `${itemUrl}/recoveryPoints?$filter=startDate%20eq%20'soon'`, undefined, 400, 'InvalidInput'],
    ['GET', `${vaultUrl}/backupJobs/none`, undefined, 404, 'ResourceNotFound'],
    ['POST', `${vaultUrl}/backupJobs/none/cancel`, undefined, 404, 'ResourceNotFound'],
    ['GET', `${itemUrl}/recoveryPoints/1`, undefined, 404, 'ResourceNotFound'],
  ])('refuses %s %s (%s) clearly', async (method, path, body, status, code) => {
    const answer = await raw(method, path, body === undefined ? {} : { body });
    const { error } = JSON.parse(answer.body);
    expect([answer.status, error.code]).toEqual([status, code]);
    expect(error.message).toMatch(/\.$/);
    expect(error.additionalInfo[0].info.action).toMatch(/\w/);
    expect(answer.headers['x-ms-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});
