import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lab, type LabGuest, readFileInImage, startLab } from '../lab/index.ts';
import { commandLine } from '../support/command-line.ts';
import { expectCounting } from '../support/product.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { until } from '../support/until.ts';
import { clientsOf } from './contract-service.ts';

/**
 * The road of somebody who has scripts for Azure: a service from an empty home on a real libvirt, and from there nothing
 * but Azure's published clients, signed in with a client's secret over TLS.
 */

let lab: Lab;
let guest: LabGuest;
let home: string;
let service: ServiceProcess;
let azure: ReturnType<typeof clientsOf>;
let subscription: string;

/** What `client create` prints for a script. */
interface Credentials {
  tenantId: string;
  clientId: string;
  clientSecret: string;
  subscriptionId: string;
  endpoint: string;
}

beforeAll(async () => {
  lab = await startLab();
  guest = await lab.makeGuest({
    name: 'road',
    counter: true,
    disks: [{ format: 'qcow2', sizeBytes: 96 * 2 ** 20 }],
  });
  home = join(lab.dir, 'home');
  service = await startServiceProcess(home);
  const cli = commandLine(home);
  await cli.json('host', 'add', 'lab', '--uri', lab.uri, '--overlay-directory', join(lab.dir, 'disks'));
  const made = await cli.json<Credentials>('client', 'create', '--name', 'script', '--role', 'Owner');
  subscription = made.subscriptionId;
  const { caFile } = JSON.parse(await readFile(join(home, 'run', 'local.json'), 'utf8'));
  const ca = await readFile(caFile, 'utf8');
  const credential = new ClientSecretCredential(made.tenantId, made.clientId, made.clientSecret, {
    authorityHost: made.endpoint,
    disableInstanceDiscovery: true,
    tlsOptions: { ca },
  });
  const token = async () => (await credential.getToken('https://management.azure.com/.default')).token;
  azure = clientsOf(made.endpoint, ca, token, subscription);
  await lab.virsh('pool-create-as', 'staging', 'dir', '--target', join(lab.dir, 'staging'), '--build');
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

const at = ['road-vault', 'default'] as const;
const container = 'iaasvmcontainer;iaasvmcontainerv2;default;road';
const item = 'vm;iaasvmcontainerv2;default;road';
const idOf = (rest: string) => `/subscriptions/${subscription}/resourceGroups/default/providers/${rest}`;
const quick = { updateIntervalInMs: 200 };

/** Sends something that has no poller, waits for its operation, and for the job that it names. */
async function followed(
  send: (options: {
    onResponse(answer: { headers: { get(name: string): string | undefined } }): void;
  }) => Promise<unknown>,
  expected = 'Completed',
): Promise<string> {
  let operation = '';
  await send({
    onResponse({ headers }) {
      operation = new URL(headers.get('azure-asyncoperation') ?? 'x:').pathname.split('/').at(-1) ?? '';
    },
  });
  let jobId = '';
  await until('the operation ends', async () => {
    const { status, error, properties } = await azure.backup.backupOperationStatuses.get(...at, operation);
    if (error != null) throw new Error(`${error.code}: ${error.message}`);
    jobId = (properties as { jobId?: string } | undefined)?.jobId ?? '';
    return status === 'Succeeded';
  });
  return jobEnd(jobId, expected);
}

async function jobEnd(jobId: string, expected = 'Completed'): Promise<string> {
  await until('the job ends', async () => {
    const { properties } = await azure.backup.jobDetails.get(...at, jobId);
    return properties?.status !== 'InProgress';
  });
  const { properties } = await azure.backup.jobDetails.get(...at, jobId);
  expect(properties, `${JSON.stringify(properties)}\n${service.log()}`).toMatchObject({
    status: expected,
  });
  return jobId;
}

const points = () => Array.fromAsync(azure.backup.recoveryPoints.list(...at, 'Azure', container, item));

/** Restores, and waits for the newest restore job. */
async function restored(pointName: string, properties: object): Promise<void> {
  await azure.backup.restores.beginTriggerAndWait(
    ...at,
    'Azure',
    container,
    item,
    pointName,
    {
      properties: {
        objectType: 'IaasVMRestoreRequest',
        recoveryPointId: pointName,
        sourceResourceId: idOf('Microsoft.Compute/virtualMachines/road'),
        region: 'local',
        createNewCloudService: false,
        ...properties,
      },
    },
    quick,
  );
  const [job] = await Array.fromAsync(
    azure.backup.backupJobs.list(...at, { filter: "operation eq 'Restore'" }),
  );
  await jobEnd(job?.name ?? '');
}

it('goes from an empty home to a VM that was protected, restored, stopped, deleted and brought back', async () => {
  const { vaults, backup, compute } = azure;
  await vaults.vaults.createOrUpdate('default', 'road-vault', {
    location: 'local',
    sku: { name: 'RS0', tier: 'Standard' },
    properties: { publicNetworkAccess: 'Enabled' },
  });
  const vm = await compute.virtualMachines.get('default', 'road', { expand: 'instanceView' });
  expect(vm.instanceView?.statuses?.map(({ code }) => code)).toContain('PowerState/running');
  const protectable = await Array.fromAsync(
    backup.backupProtectableItems.list(...at, { filter: "backupManagementType eq 'AzureIaasVM'" }),
  );
  expect(protectable.map(({ properties }) => properties?.friendlyName)).toContain('road');
  const policyId = idOf('Microsoft.RecoveryServices/vaults/road-vault/backupPolicies/EnhancedPolicy');
  const sourceResourceId = idOf('Microsoft.Compute/virtualMachines/road');
  const protectedItemType = 'Microsoft.Compute/virtualMachines' as const;
  const put = (properties: object, expected?: string) =>
    followed(
      (options) =>
        backup.protectedItems.createOrUpdate(
          ...at,
          'Azure',
          container,
          item,
          { properties: { protectedItemType, sourceResourceId, ...properties } },
          options,
        ),
      expected,
    );
  await put({ policyId });

  await guest.waitForAgent();
  await guest.waitForBoot();
  await guest.writeFile('/mnt/vda/first', 'as it was');
  const backedUp = () =>
    followed((options) =>
      backup.backups.trigger(
        ...at,
        'Azure',
        container,
        item,
        { properties: { objectType: 'IaasVMBackupRequest' } },
        options,
      ),
    );
  await backedUp();
  const [first] = await points();
  expect(first?.properties).toMatchObject({
    recoveryPointType: 'FileSystemConsistent',
    recoveryPointTierDetails: [{ type: 'InstantRP' }, { type: 'HardenedRP' }],
  });
  const [collection] = await Array.fromAsync(compute.restorePointCollections.listAll());
  expect(collection?.source?.id?.toLowerCase()).toBe(sourceResourceId.toLowerCase());
  await guest.writeFile('/mnt/vda/second', 'written later');

  // Its disks, into a pool of the host.
  const pool = idOf('Microsoft.Storage/storageAccounts/staging');
  await restored(first?.name ?? '', { recoveryType: 'RestoreDisks', storageAccountId: pool });
  const images = await readdir(join(lab.dir, 'staging'));
  const image = join(lab.dir, 'staging', images.find((name) => name.endsWith('.qcow2')) ?? '');
  expect((await readFileInImage(image, '/first')).toString()).toBe('as it was');

  // A VM beside it, which is switched on and off by the same client.
  await restored(first?.name ?? '', {
    recoveryType: 'AlternateLocation',
    storageAccountId: pool,
    targetVirtualMachineId: sourceResourceId.replace(/road$/, 'road-2'),
    targetResourceGroupId: `/subscriptions/${subscription}/resourceGroups/default`,
  });
  await compute.virtualMachines.start('default', 'road-2', quick);
  const copy = await lab.openGuest('road-2');
  await copy.waitForAgent();
  expect((await copy.exec(['/bin/ls', '/mnt/vda'])).stdout).not.toContain('second');
  await compute.virtualMachines.powerOff('default', 'road-2', { ...quick, skipShutdown: true });
  expect((await compute.virtualMachines.instanceView('default', 'road-2')).statuses?.[1]?.code).toBe(
    'PowerState/deallocated',
  );

  // Itself, over its own disks.
  const original = { recoveryType: 'OriginalLocation', storageAccountId: pool };
  await expect(restored(first?.name ?? '', original)).rejects.toMatchObject({
    code: 'UserErrorVmNotShutDown',
  });
  await compute.virtualMachines.powerOff('default', 'road', { ...quick, skipShutdown: true });
  await restored(first?.name ?? '', original);
  await compute.virtualMachines.start('default', 'road', quick);
  await guest.waitForAgent();
  await expectCounting(guest, 'vda');
  const files = (await guest.exec(['/bin/ls', '/mnt/vda'])).stdout;
  expect(files).toContain('first');
  expect(files).not.toContain('second');
  // What it had is a point, too.
  expect(await points()).toHaveLength(2);
  await backedUp();

  // The point of before is a snapshot and nothing else: the VM keeps the layers that it is in.
  await put({ protectionState: 'ProtectionStopped' }, 'CompletedWithWarnings');
  await followed(
    (options) => backup.protectedItems.delete(...at, 'Azure', container, item, options),
    'CompletedWithWarnings',
  );
  const stateOf = async () => (await backup.protectedItems.get(...at, 'Azure', container, item)).properties;
  expect(await stateOf()).toMatchObject({ isScheduledForDeferredDelete: true });
  await expect(vaults.vaults.delete('default', 'road-vault')).rejects.toMatchObject({
    code: 'BMSUserErrorVaultDeletionNotAllowed',
  });
  await put({ isRehydrate: true, protectionState: 'ProtectionStopped' });
  expect(await stateOf()).toMatchObject({
    isScheduledForDeferredDelete: false,
    protectionState: 'ProtectionStopped',
  });
  expect((await points()).map(({ name }) => name)).toContain(first?.name);
  await put({ policyId });
  expect(await stateOf()).toMatchObject({ protectionState: 'Protected' });
});
