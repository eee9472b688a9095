import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type HttpsServer,
  type Received,
  type Reply,
  startHttpsServer,
} from '../../tests/support/https-server.ts';
import type {
  Job,
  JobTask,
  ProtectedItem,
  RecoveryPoint,
  Replica,
  Vault,
  VirtualMachine,
} from '../api/client/index.ts';
import { type CliIo, OutputClosed } from './io.ts';
import { runCli } from './run-cli.ts';

const GiB = 1024 ** 3;
const subscription = '/subscriptions/s1';
const group = `${subscription}/resourceGroups/default`;
const vaultId = `${group}/providers/Microsoft.RecoveryServices/vaults/v1`;
const itemId = `${vaultId}/backupFabrics/Azure/protectionContainers/iaasvmcontainer;iaasvmcontainerv2;default;web-1/protectedItems/vm;iaasvmcontainerv2;default;web-1`;

const service = { version: '0.1.0', startedAt: '2026-11-21T05:00:00Z', subscriptionId: 's1', home: '/srv/h' };

const vault: Vault = {
  id: vaultId,
  name: 'v1',
  type: 'Microsoft.RecoveryServices/vaults',
  location: 'local',
  sku: { name: 'Standard', tier: 'Standard' },
  properties: {
    provisioningState: 'Succeeded',
    securitySettings: {
      immutabilitySettings: { state: 'Disabled' },
      softDeleteSettings: {
        softDeleteState: 'Enabled',
        softDeleteRetentionPeriodInDays: 14,
        enhancedSecurityState: 'Enabled',
      },
    },
    holdfast: {
      storePath: '/srv/h/v1',
      storeId: 'x',
      encryption: { state: 'Enabled', keyFile: '/srv/h/keys/x.key' },
      status: 'Ready',
      protectedItems: 1,
      recoveryPoints: 2,
      storedBytes: 1.5 * GiB,
    },
  },
};

const machine: VirtualMachine = {
  id: `${group}/providers/Holdfast.Fleet/virtualMachines/web-1`,
  name: 'web-1',
  type: 'Holdfast.Fleet/virtualMachines',
  location: 'local',
  properties: {
    vmId: '11111111-2222-4333-8444-555555555555',
    host: `${group}/providers/Holdfast.Fleet/hosts/rack1`,
    powerState: 'running',
    memoryBytes: GiB,
    vcpus: 2,
    firmware: 'bios',
    agent: 'connected',
    disks: [
      {
        target: 'vda',
        bus: 'virtio',
        type: 'file',
        format: 'qcow2',
        sizeBytes: 8 * GiB,
        path: '/d/a.qcow2',
        layers: 1,
      },
      {
        target: 'vdb',
        bus: 'virtio',
        type: 'file',
        format: 'raw',
        sizeBytes: GiB,
        path: '/d/b.img',
        layers: 0,
      },
    ],
    protection: {
      state: 'NotProtectable',
      obstacles: [{ code: 'DiskShareable', disk: 'vdb', message: 'vdb is shared.', action: 'Exclude it.' }],
    },
  },
};

const item: ProtectedItem = {
  id: itemId,
  name: 'vm;iaasvmcontainerv2;default;web-1',
  type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems',
  properties: {
    protectedItemType: 'Microsoft.Compute/virtualMachines',
    backupManagementType: 'AzureIaasVM',
    workloadType: 'VM',
    friendlyName: 'web-1',
    containerName: 'iaasvmcontainerv2;default;web-1',
    sourceResourceId: machine.id,
    virtualMachineId: machine.id,
    vaultId,
    policyName: 'DefaultPolicy',
    protectionState: 'Protected',
    isScheduledForDeferredDelete: false,
    softDeleteRetentionPeriodInDays: 14,
    healthStatus: 'Passed',
    healthDetails: [],
    protectionStatus: 'Healthy',
    lastBackupStatus: 'Completed',
    lastBackupTime: '2026-11-21T05:00:00Z',
    holdfast: { vmUuid: machine.properties.vmId, host: 'rack1', excludedDisks: [], recoveryPoints: 2 },
  },
};

function point(name: string, time: string, tiers: ('InstantRP' | 'HardenedRP')[]): RecoveryPoint {
  return {
    id: `${itemId}/recoveryPoints/${name}`,
    name,
    type: 'x',
    properties: {
      objectType: 'IaasVMRecoveryPoint',
      recoveryPointType: 'AppConsistent',
      recoveryPointTime: time,
      recoveryPointAdditionalInfo: '',
      recoveryPointTierDetails: tiers.map((type) => ({ type, status: 'Valid' })),
      isManagedVirtualMachine: true,
      recoveryPointDiskConfiguration: {
        numberOfDisksAttachedToVm: 1,
        numberOfDisksIncludedInBackup: 1,
        includedDiskList: [],
        excludedDiskList: [],
      },
      recoveryPointProperties: { expiryTime: '2026-12-21T05:00:00Z' },
      holdfast: {
        frozenMs: 12,
        powerState: 'running',
        disks: [{ target: 'vda', sizeBytes: 8 * GiB, format: 'qcow2', storedBytes: 2048 }],
      },
    },
  };
}

function job(status: Job['properties']['status'], tasksList: JobTask[] = [], more: object = {}): Job {
  return {
    id: `${vaultId}/backupJobs/j1`,
    name: 'j1',
    type: 'Microsoft.RecoveryServices/vaults/backupJobs',
    properties: {
      jobType: 'AzureIaaSVMJob',
      backupManagementType: 'AzureIaasVM',
      operation: 'Backup',
      status,
      entityFriendlyName: 'web-1',
      startTime: '2026-11-21T05:40:00Z',
      duration: 'PT42S',
      activityId: 'a',
      isUserTriggered: true,
      extendedInfo: { tasksList, propertyBag: {} },
      ...more,
    },
  };
}

const snapshotRuns: JobTask = { taskId: 'Take Snapshot', status: 'InProgress' };
const snapshotDone: JobTask = { taskId: 'Take Snapshot', status: 'Completed', duration: 'PT2S' };

const running = job('InProgress', [snapshotRuns]);
const done = job('Completed', [snapshotDone]);

/** What a route answers: a body for 200, or a whole reply; by `METHOD path`, with the subscription's prefixes removed. */
type Routes = Record<string, unknown | ((received: Received, n: number) => Reply)>;

const accepted: Reply = { status: 202, headers: { 'azure-asyncoperation': 'https://service/op/1' } };
const operation = {
  id: '/op/1',
  name: '1',
  status: 'Succeeded',
  startTime: '2026-11-21T05:00:00Z',
  endTime: '2026-11-21T05:00:00Z',
  properties: { objectType: 'OperationStatusJobExtendedInfo', jobId: 'j1' },
};

const shorter = (path: string) =>
  path.replace(itemId, 'ITEM').replace(vaultId, 'VAULT').replace(group, 'GROUP').replace(subscription, 'SUB');

interface World {
  server: HttpsServer;
  home: string;
  received: Received[];
  /** Runs a command line and gives back all it did. */
  run(line: string | string[], io?: Partial<CliIo>): Promise<{ code: number; out: string; err: string }>;
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function runLine(line: string | string[], io: Partial<CliIo>) {
  let out = '';
  let err = '';
  const code = await runCli(typeof line === 'string' ? line.split(' ').filter(Boolean) : line, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    now: () => Date.parse('2026-11-21T05:44:00Z'),
    timeZone: 'UTC',
    pollMs: 1,
    ...io,
  });
  return { code, out, err };
}

async function world(routes: Routes): Promise<World> {
  const received: Received[] = [];
  const counts = new Map<string, number>();
  const known: Routes = { 'GET /holdfast/service': service, 'GET /op/1': operation, ...routes };
  const server = await startHttpsServer((request) => {
    received.push(request);
    const key = `${request.method} ${shorter(request.path)}`;
    const n = (counts.get(key) ?? 0) + 1;
    counts.set(key, n);
    const route = known[key];
    if (typeof route === 'function') return route(request, n);
    if (route !== undefined) return { body: route };
    return { status: 404, body: { error: { code: 'ResourceNotFound', message: `There is no ${key}.` } } };
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const home = await scratch();
  await writeLocal(home, server);
  const run = (line: string | string[], io: Partial<CliIo> = {}) =>
    runLine(line, { defaultHome: home, ...io });
  return { server, home, received, run };
}

async function writeLocal(
  home: string,
  server: HttpsServer,
  token = 'local-token',
  mode = 0o600,
): Promise<void> {
  await mkdir(join(home, 'run'), { recursive: true });
  await writeFile(join(home, 'ca.pem'), server.ca);
  const file = join(home, 'run', 'local.json');
  await writeFile(file, JSON.stringify({ endpoint: server.endpoint, token, caFile: join(home, 'ca.pem') }));
  await chmod(file, mode);
}

const lines = (...text: string[]) => `${text.join('\n')}\n`;

describe('lists and details', () => {
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

  test('an empty list says what to do next, beside the output', async () => {
    const { run } = await world({ 'GET SUB/providers/Holdfast.Fleet/hosts': { value: [] } });
    expect(await run('host list')).toEqual({
      code: 0,
      out: '',
      err: 'No hosts yet. Connect one: holdfast host add local --uri qemu:///system\n',
    });
    expect(await run('host list -o json')).toEqual({ code: 0, out: '[]\n', err: '' });
  });

  test('a VM is shown with its disks and what stands in the way of protecting it', async () => {
    const { run } = await world({ 'GET GROUP/providers/Holdfast.Fleet/virtualMachines/web-1': machine });
    const { out } = await run('vm show web-1');
    expect(out).toContain('Protection      not protectable\n');
    expect(out).toContain(
      lines(
        'DISK  BUS     TYPE  FORMAT     SIZE  LAYERS  PATH',
        'vda   virtio  file  qcow2   8.0 GiB       1  /d/a.qcow2',
        'vdb   virtio  file  raw     1.0 GiB       0  /d/b.img',
        '',
        'OBSTACLE       DISK  WHY             WHAT TO DO',
        'DiskShareable  vdb   vdb is shared.  Exclude it.',
      ),
    );
  });

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

  test('the jobs of a vault are filtered by the service', async () => {
    const { run, received } = await world({ 'GET VAULT/backupJobs': { value: [done] } });
    const { out } = await run('job list --status Completed --operation Backup --since 24h', {
      env: { HOLDFAST_VAULT: 'v1' },
    });
    expect(received.at(-1)?.query.get('$filter')).toBe(
      "status eq 'Completed' and operation eq 'Backup' and startTime eq '2026-11-20 05:44:00 AM'",
    );
    expect(out).toBe(
      lines(
        'JOB  OPERATION  VM     STATUS     STARTED                           DURATION',
        'j1   Backup     web-1  Completed  2026-11-21 05:40 UTC (4 min ago)      42 s',
      ),
    );
  });
});

describe('changes', () => {
  test('a host is added with what was given', async () => {
    const host = {
      id: `${group}/providers/Holdfast.Fleet/hosts/rack1`,
      name: 'rack1',
      type: 'Holdfast.Fleet/hosts',
      location: 'local',
      properties: { uri: 'qemu:///system', status: 'Connected' },
    };
    const { run, received } = await world({ 'PUT GROUP/providers/Holdfast.Fleet/hosts/rack1': host });
    const { code, out } = await run(
      'host add rack1 --uri qemu:///system --region west --zone z1 --overlay-directory /var/o',
    );
    expect(code).toBe(0);
    expect(out).toContain('Status          connected\n');
    expect(received.at(-1)?.body).toEqual({
      location: 'west',
      extendedLocation: { name: 'z1', type: 'EdgeZone' },
      properties: { uri: 'qemu:///system', overlayDirectory: '/var/o' },
    });
  });

  test('the freeze hook is installed, or printed with what to do', async () => {
    const at = 'GROUP/providers/Holdfast.Fleet/virtualMachines/web-1/installFreezeHook';
    const { run } = await world({
      [`POST ${at}`]: { path: '/etc/qemu/fsfreeze-hook.d/h', left: ['Restart it.', 'Smile.'] },
      'GET SUB/providers/Holdfast.Fleet/freezeHook': {
        name: 'h',
        script: '#!/bin/sh\n',
        steps: ['Save it.'],
      },
    });
    expect((await run('vm install-hook web-1')).out).toBe(
      'Freeze hook  /etc/qemu/fsfreeze-hook.d/h\nLeft to do   Restart it.\n             Smile.\n',
    );
    const printed = await run('vm install-hook web-1 --print');
    expect([printed.out, printed.err]).toEqual(['#!/bin/sh\n', '1. Save it.\n']);
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
    expect(await wish('item undelete')).toEqual({ isRehydrate: true, protectionState: 'ProtectionStopped' });
    expect((await run('item exclude --none --vault v1 --vm web-1')).code).toBe(2);
  });

  test('what nobody can take back of a vault is said before it is done', async () => {
    const { run, received } = await world({ 'PATCH VAULT': vault });
    for (const what of ['--immutability locked', '--soft-delete always'])
      expect((await run(`vault update v1 ${what}`)).code).toBe(2);
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

  test('restoring the latest point takes the newest that the tier has', async () => {
    const points = [
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

  test('cancelling shows what the job does now', async () => {
    const { run } = await world({
      'POST VAULT/backupJobs/j1/cancel': () => ({ status: 202 }),
      'GET VAULT/backupJobs/j1': job('Cancelling', [snapshotRuns]),
    });
    expect((await run('job cancel j1 --vault v1')).out).toBe(
      lines('Backup of web-1, job j1: cancelling', '  Take Snapshot  in progress'),
    );
  });
});

describe('jobs that are followed', () => {
  const backup = {
    'POST ITEM/backup': () => accepted,
    'GET VAULT/backupJobs/j1': (_: Received, n: number) => ({ body: n < 3 ? running : done }),
  };

  test('a backup is followed to its end with plain lines', async () => {
    const { run, received } = await world(backup);
    expect(await run('backup now --vault v1 --vm web-1 --retain-until 2026-12-31')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Backup of web-1, job j1',
        'Take Snapshot: in progress',
        'Take Snapshot: completed, 2 s',
        'Backup of web-1: completed in 42 s',
      ),
    });
    expect(received.find(({ method }) => method === 'POST')?.body).toEqual({
      properties: {
        objectType: 'IaasVMBackupRequest',
        recoveryPointExpiryTimeInUTC: '2026-12-31T23:59:59.000Z',
      },
    });
  });

  test('with --no-wait the job is named and left alone', async () => {
    const { run } = await world(backup);
    expect(await run('backup now --vault v1 --vm web-1 --no-wait')).toEqual({
      code: 0,
      err: '',
      out: lines('Backup of web-1 started, job j1', 'To follow it: holdfast job show j1 --watch --vault v1'),
    });
    expect(JSON.parse((await run('backup now --vault v1 --vm web-1 --no-wait -o json')).out)).toEqual(
      running,
    );
  });

  test('with --output json only the finished job is printed; with jsonl the job at every change', async () => {
    const { run } = await world(backup);
    expect(JSON.parse((await run('backup now --vault v1 --vm web-1 -o json')).out)).toEqual(done);
    const again = await world(backup);
    const { out } = await again.run('job show j1 --watch --vault v1 -o jsonl');
    expect(out).toBe(lines(JSON.stringify(running), JSON.stringify(done)));
  });

  test('on a terminal the picture is drawn over', async () => {
    const { run } = await world(backup);
    let out = '';
    const stdout = { isTTY: true, columns: 80, write: (text: string) => (out += text) };
    const env = { NO_COLOR: '1', LANG: 'C.UTF-8' };
    expect((await run('job show j1 --watch --vault v1', { stdout, env })).code).toBe(0);
    expect(out).toBe(
      lines(
        'Backup of web-1, job j1: in progress',
        '  Take Snapshot  in progress',
        '\u001b[2A\u001b[JBackup of web-1, job j1: in progress',
        '  Take Snapshot  in progress',
        '\u001b[2A\u001b[JBackup of web-1, job j1: completed',
        '  Take Snapshot  completed    2 s',
        'Backup of web-1: completed in 42 s',
      ),
    );
  });

  test.each([
    ['CompletedWithWarnings', 3],
    ['Failed', 4],
    ['Cancelled', 4],
  ] as const)(
    'a job that ends as %s gives exit code %i, with code, sentence and what to do',
    async (status, code) => {
      const errorDetails = [
        {
          errorCode: 1,
          errorTitle: 'StoreFull',
          errorString: 'The store is full.',
          recommendations: ['Make room.'],
        },
      ];
      const { run } = await world({ 'GET VAULT/backupJobs/j1': job(status, [], { errorDetails }) });
      const result = await run('job wait j1 --vault v1');
      expect(result.code).toBe(code);
      expect(result.out).toContain(lines('Error StoreFull: The store is full.', 'What to do: Make room.'));
    },
  );

  test('waiting no longer than told leaves the job running', async () => {
    const { run } = await world({ 'GET VAULT/backupJobs/j1': running });
    let now = 0;
    const { code, err } = await run('job wait j1 --vault v1 --timeout 5', { now: () => (now += 1000) });
    expect(code).toBe(1);
    expect(err).toBe(
      lines(
        'Error WaitTimedOut: Job j1 did not end within 5 s.',
        'What to do: It goes on; to get back to it: holdfast job show j1 --watch --vault v1',
      ),
    );
  });

  test('interrupting leaves the job running and says how to get back to it', async () => {
    const stop = new AbortController();
    const { run } = await world({
      'GET VAULT/backupJobs/j1': (_: Received, n: number) => {
        if (n === 2) stop.abort(new Error('Interrupted.'));
        return { body: running };
      },
    });
    expect(await run('job show j1 --watch --vault v1', { signal: stop.signal })).toEqual({
      code: 130,
      out: lines('Backup of web-1, job j1', 'Take Snapshot: in progress'),
      err: lines(
        'Interrupted. The job goes on; to get back to it:',
        '  holdfast job show j1 --watch --vault v1',
      ),
    });
  });

  test('a reader that has gone away ends the following without a word', async () => {
    const stop = new AbortController();
    const { run } = await world({
      'GET VAULT/backupJobs/j1': () => {
        stop.abort(new OutputClosed());
        return { body: running };
      },
    });
    const { code, err } = await run('job show j1 --watch --vault v1', { signal: stop.signal });
    expect([code, err]).toEqual([130, '']);
  });

  test('a service that restarts, with another token, is found again', async () => {
    let token = 'local-token';
    const { run, home, server } = await world({
      'GET VAULT/backupJobs/j1': async (received: Received, n: number) => {
        if (n === 2) {
          token = 'second-token';
          await writeLocal(home, server, token);
        }
        if (received.headers.authorization !== `Bearer ${token}`)
          return { status: 401, body: { error: { code: 'Unauthorized', message: 'Sign in again.' } } };
        return { body: n < 3 ? running : done };
      },
    } as Routes);
    expect(await run('job show j1 --watch --vault v1')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Backup of web-1, job j1',
        'Take Snapshot: in progress',
        'The service does not answer; trying again.',
        'The service is back.',
        'Take Snapshot: completed, 2 s',
        'Backup of web-1: completed in 42 s',
      ),
    });
  });
});

describe('errors', () => {
  const refusal = (status: number, code: string) => ({
    'GET VAULT': () => ({
      status,
      headers: { 'x-ms-request-id': 'r-7' },
      body: {
        error: {
          code,
          message: 'No.',
          additionalInfo: [{ type: 'RecommendedAction', info: { action: 'Do it so.' } }],
        },
      },
    }),
  });

  test.each([
    [400, 'InvalidInput', 1],
    [401, 'Unauthorized', 12],
    [403, 'Forbidden', 12],
    [404, 'ResourceNotFound', 10],
    [409, 'StoreInUse', 11],
    [500, 'InternalError', 1],
  ])('a refusal with status %i (%s) gives exit code %i', async (status, code, exitCode) => {
    const { run } = await world(refusal(status, code));
    expect(await run('vault show v1')).toEqual({
      code: exitCode,
      out: '',
      err: lines(`Error ${code}: No.`, 'What to do: Do it so.', 'Request id: r-7'),
    });
  });

  test("with --output json an error is the API's object, on standard error", async () => {
    const { run } = await world(refusal(409, 'StoreInUse'));
    const { err, out } = await run('vault show v1 --output json');
    expect(out).toBe('');
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'StoreInUse',
        message: 'No.',
        additionalInfo: [{ type: 'RecommendedAction', info: { action: 'Do it so.' } }],
      },
    });
  });

  test.each([
    [
      'vault lst',
      "Error InvalidCommandLine: Unknown command 'lst' (Did you mean list?)",
      'holdfast vault --help',
    ],
    [
      'vault show',
      "Error InvalidCommandLine: Missing required argument 'vault'",
      'holdfast vault show --help',
    ],
    [
      'backup now -v v1',
      "Error InvalidCommandLine: Required option '--vm <name>' not specified",
      'holdfast backup now --help',
    ],
    [
      'restore disks -v v1 --vm w --recovery-point 1 --to here',
      'It takes an absolute directory',
      'holdfast restore disks --help',
    ],
    ['vault list -o xml', 'Allowed choices are table, json, jsonl.', 'holdfast vault list --help'],
    ['job list -v v1 --since yesterday', 'It takes a date (2026-12-31)', 'holdfast job list --help'],
  ])('"%s" is a wrong command line: exit code 2 and where to read on', async (line, sentence, help) => {
    const { code, out, err } = await runLine(line, {});
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(sentence);
    expect(err).toContain(`What to do: See "${help}".\n`);
  });

  test('a wrong command line with --output json is an error object too', async () => {
    const { err } = await runLine('vault lst --output json', {});
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'InvalidCommandLine' } });
  });

  test('a command that needs a vault says so before it asks the service', async () => {
    const { code, err } = await runLine('item list', { defaultHome: '/nonexistent' });
    expect(code).toBe(2);
    expect(err).toBe(
      lines(
        'Error InvalidCommandLine: No vault is named.',
        'What to do: Give --vault NAME or set HOLDFAST_VAULT; "holdfast vault list" shows what there is.',
      ),
    );
  });
});

describe('the way to the service', () => {
  test('no service runs for the home: says which, and how to start it', async () => {
    const home = await scratch();
    expect(await runLine(`service show --home ${home}`, {})).toEqual({
      code: 1,
      out: '',
      err: lines(
        `Error ServiceNotRunning: No Holdfast service runs for the home ${home}.`,
        `What to do: Start it with "holdfast serve --home ${home}", or name another one with --home or --endpoint.`,
      ),
    });
  });

  test('a token that others can read is used, with a warning', async () => {
    const { run, home, server } = await world({});
    await writeLocal(home, server, 'local-token', 0o644);
    const { code, err } = await run('service show');
    expect(code).toBe(0);
    expect(err).toBe(
      `Warning: ${home}/run/local.json holds a token and is open to other users of this machine; make it mode 0600.\n`,
    );
  });

  test('an endpoint gets only the token given for it, never that of a home', async () => {
    const { home, server, received } = await world({});
    const line = `service show --endpoint ${server.endpoint} --ca-file ${home}/ca.pem`;
    const refused = await runLine(line, { defaultHome: home });
    expect(refused.code).toBe(12);
    expect(refused.err).toContain('--token-file or HOLDFAST_TOKEN');
    expect(received).toEqual([]);
    await writeFile(join(home, 'token'), 'mine\n');
    expect((await runLine(`${line} --token-file ${home}/token`, {})).code).toBe(0);
    expect(received.at(-1)?.headers.authorization).toBe('Bearer mine');
  });

  test('the environment names the service too; a home that is named goes before its endpoint', async () => {
    const { home, server, received } = await world({});
    const env = {
      HOLDFAST_ENDPOINT: server.endpoint,
      HOLDFAST_TOKEN: 'from-env',
      HOLDFAST_CA_FILE: join(home, 'ca.pem'),
    };
    expect((await runLine('service show', { env })).code).toBe(0);
    expect((await runLine(`service show --home ${home}`, { env })).code).toBe(0);
    expect((await runLine('service show', { env: { HOLDFAST_HOME: home } })).code).toBe(0);
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer from-env',
      'Bearer local-token',
      'Bearer local-token',
    ]);
  });
});

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

describe('help', () => {
  test('without a command the help is shown; a noun alone is a wrong command line that shows its verbs', async () => {
    const help = await runLine('', {});
    expect(help.code).toBe(0);
    expect(help.out).toContain('recovery-point');
    const noun = await runLine('vault', {});
    expect([noun.code, noun.out]).toEqual([2, '']);
    expect(noun.err).toContain('create [options] <vault>');
  });

  test("the process's own commands are in the help and run", async () => {
    let home: unknown;
    const serve = () =>
      new Command('serve').summary('run the service').action((_options, command: Command) => {
        ({ home } = command.optsWithGlobals());
      });
    let out = '';
    const io = { stdout: { write: (text: string) => (out += text) }, stderr: { write() {} }, env: {} };
    await runCli(['--help'], io, { commands: [serve()] });
    expect(out).toContain('run the service');
    expect(await runCli(['serve', '--home', '/h'], io, { commands: [serve()] })).toBe(0);
    expect(home).toBe('/h');
  });

  test('the version is that of the package', async () => {
    expect((await runLine('--version', {})).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

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
        'Stored              3.0 GiB',
        'Not replicated yet  2 recovery points, about 1.0 GiB, since 2026-11-21 05:00 UTC (44 min ago)',
        'Up to date at       2026-11-21 04:44 UTC (1 h ago)',
        'Verified            never',
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
