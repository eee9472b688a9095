import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBackup } from '../../src/jobs/index.ts';
import { until } from '../support/until.ts';
import { type ContractService, startContractService, subscriptionId } from './contract-service.ts';

let service: ContractService;
beforeAll(async () => {
  service = await startContractService();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  expect(service.failures).toEqual([]);
});

const at = ['Main', 'default'] as const;
const container = 'iaasvmcontainer;iaasvmcontainerv2;default;web';
const item = 'vm;iaasvmcontainerv2;default;web';
const machine = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web`;
const vaultId = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;

/** The id of the operation that an answer's header names. The older client returns nothing else. */
function operationIds() {
  const ids: string[] = [];
  return {
    ids,
    onResponse: (answer: { status: number; headers: { get(name: string): string | undefined } }) => {
      const url = answer.headers.get('azure-asyncoperation') ?? answer.headers.get('location') ?? '';
      if (answer.status === 202) ids.push(new URL(url).pathname.split('/').at(-1) ?? '');
    },
  };
}

/** Backs up as a script would: triggers, asks the operation for its job, and waits for that. */
async function backedUp(): Promise<string> {
  const { backup } = service;
  const { ids, onResponse } = operationIds();
  await backup.backups.trigger(
    ...at,
    'Azure',
    container,
    item,
    { properties: { objectType: 'IaasVMBackupRequest' } },
    { onResponse },
  );
  const [id = ''] = ids;
  const status = await backup.protectedItemOperationStatuses.get(...at, 'Azure', container, item, id);
  expect(status).toMatchObject({ status: 'Succeeded', name: id });
  // azure-cli asks at the vault, whatever the header says.
  const again = await backup.backupOperationStatuses.get(...at, id);
  expect(again.properties).toEqual(status.properties);
  await backup.backupOperationResults.get(...at, id);
  const jobId = (status.properties as { jobId?: string }).jobId ?? '';
  await until('the backup ends', async () => {
    const { properties } = await backup.jobDetails.get(...at, jobId);
    return properties?.status !== 'InProgress';
  });
  await service.estate.settled(jobId);
  return jobId;
}

describe('protection', () => {
  it('is enabled, and its operation ends with the job', async () => {
    const { backup } = service;
    const { ids, onResponse } = operationIds();
    await backup.protectedItems.createOrUpdate(
      ...at,
      'Azure',
      container,
      item,
      {
        properties: {
          protectedItemType: 'Microsoft.Compute/virtualMachines',
          sourceResourceId: machine,
          policyId: `${vaultId}/backupPolicies/DefaultPolicy`,
        },
      },
      { onResponse },
    );
    const [id = ''] = ids;
    await until('the operation ends', async () => {
      const status = await backup.protectedItemOperationStatuses.get(...at, 'Azure', container, item, id);
      return status.status === 'Succeeded';
    });
    const result = await backup.protectedItemOperationResults.get(...at, 'Azure', container, item, id);
    expect(result.properties).toMatchObject({ friendlyName: 'web', policyName: 'DefaultPolicy' });
    const listed = await Array.fromAsync(
      backup.backupProtectedItems.list(...at, {
        filter: "backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'",
      }),
    );
    expect(listed.map((each) => each.properties?.protectedItemType)).toEqual([
      'Microsoft.Compute/virtualMachines',
    ]);
    expect((await backup.protectedItems.get(...at, 'Azure', container, item)).properties).toMatchObject({
      protectionState: 'IRPending',
      sourceResourceId: machine,
    });
  });

  it('is told of at the location and as a container', async () => {
    const { backup } = service;
    expect(await backup.backupStatus.get('local', { resourceType: 'VM', resourceId: machine })).toMatchObject(
      {
        protectionStatus: 'Protected',
        vaultId,
        policyName: 'DefaultPolicy',
      },
    );
    expect(
      await backup.protectionIntentOperations.validate('local', {
        resourceType: 'VM',
        resourceId: machine,
        vaultId,
      }),
    ).toMatchObject({ status: 'Succeeded' });
    expect(
      await backup.protectionIntentOperations.validate('local', {
        resourceType: 'VM',
        resourceId: machine,
        vaultId: `${vaultId}2`,
      }),
    ).toMatchObject({ status: 'Failed', errorCode: 'VirtualMachineAlreadyProtected' });
    expect(
      await backup.featureSupport.validate('local', { featureType: 'AzureVMResourceBackup', vmSize: 'any' }),
    ).toEqual({ supportStatus: 'Supported' });
    const [found] = await Array.fromAsync(
      backup.backupProtectionContainers.list(...at, { filter: "backupManagementType eq 'AzureIaasVM'" }),
    );
    expect(found?.properties).toMatchObject({ friendlyName: 'web', registrationStatus: 'Registered' });
    expect((await backup.protectionContainers.get(...at, 'Azure', container)).properties).toMatchObject({
      containerType: 'Microsoft.Compute/virtualMachines',
    });
    const [summary] = await Array.fromAsync(
      backup.backupUsageSummaries.list(...at, { filter: "type eq 'BackupProtectedItemCountSummary'" }),
    );
    expect(summary).toMatchObject({ name: { value: 'AzureIaasVM' }, currentValue: 1 });
  });
});

describe('backups and restores', () => {
  it('back up, and list jobs and points', async () => {
    const { backup, estate } = service;
    estate.host.write(estate.vmUuid, 'vda', 0, new Uint8Array(5000).fill(1));
    const jobId = await backedUp();
    const { properties } = await backup.jobDetails.get(...at, jobId);
    expect(properties).toMatchObject({
      jobType: 'AzureIaaSVMJob',
      operation: 'Backup',
      status: 'Completed',
      extendedInfo: { tasksList: [{ taskId: 'Take Snapshot' }, { taskId: 'Transfer data to vault' }] },
    });
    const filters = [
      "status eq 'Completed' and operation eq 'Backup' and backupManagementType eq 'AzureIaasVM'",
      "startTime eq '2016-01-01 00:00:00 AM' and endTime eq '2100-01-01 12:00:00 PM'",
    ];
    for (const filter of filters) {
      const jobs = await Array.fromAsync(backup.backupJobs.list(...at, { filter }));
      expect(jobs.map((job) => job.name)).toContain(jobId);
    }
    const points = await Array.fromAsync(backup.recoveryPoints.list(...at, 'Azure', container, item));
    expect(points).toHaveLength(1);
    const point = await backup.recoveryPoints.get(...at, 'Azure', container, item, points[0]?.name ?? '');
    expect(point.properties).toMatchObject({
      objectType: 'IaasVMRecoveryPoint',
      recoveryPointType: 'CrashConsistent',
      recoveryPointTierDetails: [{ type: 'InstantRP' }, { type: 'HardenedRP' }],
      recoveryPointDiskConfiguration: {
        includedDiskList: [
          { lun: -1, name: 'vda' },
          { lun: 0, name: 'vdb' },
        ],
      },
    });
  });

  it('validate a restore, carry it out and follow it to its job', async () => {
    const { backup, estate, directory } = service;
    const [point] = await Array.fromAsync(backup.recoveryPoints.list(...at, 'Azure', container, item));
    const target = join(directory, 'restored', 'one');
    const properties = {
      objectType: 'IaasVMRestoreRequest' as const,
      recoveryPointId: point?.id ?? '',
      recoveryType: 'RestoreDisks',
      sourceResourceId: machine,
      storageAccountId: target,
      region: 'local',
      createNewCloudService: false,
      originalStorageAccountOption: false,
      encryptionDetails: { encryptionEnabled: false },
      restoreDiskLunList: [-1],
    };
    const validation = (restoreRequest: typeof properties) => ({
      id: point?.id ?? '',
      properties: { objectType: 'ValidateIaasVMRestoreOperationRequest' as const, restoreRequest },
    });
    const request = validation(properties);
    expect(await backup.operation.validate(...at, request)).toEqual({
      validateOperationResponse: { validationResults: [] },
    });
    const refused = validation({ ...properties, recoveryType: 'OriginalLocation' });
    expect(
      (await backup.operation.validate(...at, refused)).validateOperationResponse?.validationResults,
    ).toEqual([expect.objectContaining({ code: 'UserErrorVmNotShutDown' })]);
    const offline = validation({ ...properties, recoveryType: 'Offline' });
    expect(
      (await backup.operation.validate(...at, offline)).validateOperationResponse?.validationResults,
    ).toEqual([expect.objectContaining({ code: 'OperationNotSupported' })]);
    const { ids, onResponse } = operationIds();
    await backup.validateOperation.beginTriggerAndWait(...at, request, { onResponse, updateIntervalInMs: 1 });
    expect((await backup.validateOperationStatuses.get(...at, ids[0] ?? '')).status).toBe('Succeeded');
    expect(await backup.validateOperationResults.get(...at, ids[0] ?? '')).toMatchObject({
      validateOperationResponse: { validationResults: [] },
    });

    await backup.restores.beginTriggerAndWait(
      ...at,
      'Azure',
      container,
      item,
      point?.name ?? '',
      { properties },
      { updateIntervalInMs: 1 },
    );
    const [job] = await Array.fromAsync(backup.backupJobs.list(...at, { filter: "operation eq 'Restore'" }));
    await estate.settled(job?.name ?? '');
    const files = await readdir(target);
    const image = files.find((name) => name.endsWith('vda.raw'));
    expect(files.some((name) => name.includes('vdb'))).toBe(false);
    expect(await readFile(join(target, image ?? ''))).toEqual(
      Buffer.from(estate.host.contentOf(estate.vmUuid, 'vda')),
    );
    expect(
      (await backup.operation.validate(...at, request)).validateOperationResponse?.validationResults,
    ).toEqual([expect.objectContaining({ code: 'UserErrorTargetPathExists' })]);
  });

  it('restore over the disks of the VM itself, which is off', async () => {
    const { backup, compute, estate } = service;
    const atPoint = Buffer.from(estate.host.contentOf(estate.vmUuid, 'vda'));
    estate.host.write(estate.vmUuid, 'vda', 100, new Uint8Array(9000).fill(3));
    await compute.virtualMachines.powerOff('default', 'web', { updateIntervalInMs: 1 });
    const [point] = await Array.fromAsync(backup.recoveryPoints.list(...at, 'Azure', container, item));
    await backup.restores.beginTriggerAndWait(
      ...at,
      'Azure',
      container,
      item,
      point?.name ?? '',
      {
        properties: {
          objectType: 'IaasVMRestoreRequest',
          recoveryPointId: point?.id ?? '',
          recoveryType: 'OriginalLocation',
          sourceResourceId: machine,
          targetVirtualMachineId: machine,
          storageAccountId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Storage/storageAccounts/staging`,
          originalStorageAccountOption: false,
          region: 'local',
        },
      },
      { updateIntervalInMs: 1 },
    );
    await estate.idle();
    expect(Buffer.from(estate.host.contentOf(estate.vmUuid, 'vda')).equals(atPoint)).toBe(true);
    // What it had is a point of its own.
    const points = await Array.fromAsync(backup.recoveryPoints.list(...at, 'Azure', container, item));
    expect(points).toHaveLength(2);
    await compute.virtualMachines.start('default', 'web', { updateIntervalInMs: 1 });
  });

  it('cancel a job', async () => {
    const { backup, estate } = service;
    const taking = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    estate.host.onCall = (operation) => {
      if (operation !== 'takePoint') return;
      asked.resolve();
      return taking.promise;
    };
    const { ids, onResponse } = operationIds();
    await backup.backups.trigger(
      ...at,
      'Azure',
      container,
      item,
      {
        properties: {
          objectType: 'IaasVMBackupRequest',
          recoveryPointExpiryTimeInUTC: new Date('2100-01-01'),
        },
      },
      { onResponse },
    );
    const status = await backup.backupOperationStatuses.get(...at, ids[0] ?? '');
    const jobId = (status.properties as { jobId?: string }).jobId ?? '';
    await asked.promise;
    await backup.jobCancellations.trigger(...at, jobId, { onResponse });
    await backup.jobOperationResults.get(...at, jobId, ids[1] ?? '');
    taking.resolve();
    await estate.settled(jobId);
    estate.host.onCall = () => {};
    expect((await backup.jobDetails.get(...at, jobId)).properties).toMatchObject({ status: 'Cancelled' });
  });

  it('refuse a storage pool that is not there', async () => {
    const [point] = await Array.fromAsync(
      service.backup.recoveryPoints.list(...at, 'Azure', container, item),
    );
    const { validateOperationResponse } = await service.backup.operation.validate(...at, {
      id: point?.id ?? '',
      properties: {
        objectType: 'ValidateIaasVMRestoreOperationRequest',
        restoreRequest: {
          objectType: 'IaasVMRestoreRequest',
          recoveryType: 'RestoreDisks',
          storageAccountId: `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.Storage/storageAccounts/none`,
        },
      },
    });
    expect(validateOperationResponse?.validationResults?.[0]).toMatchObject({ code: 'ResourceNotFound' });
  });
});

it('exports jobs into files that whoever has the link can fetch', async () => {
  const { backup, estate } = service;
  const { ids, onResponse } = operationIds();
  const exportJobs = (filter?: string) =>
    backup.jobs.export(...at, { onResponse, ...(filter === undefined ? {} : { filter }) });
  await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
  await exportJobs("operation eq 'Backup' and status eq 'Completed'");
  const result = await backup.exportJobsOperationResults.get(...at, ids.at(-1) ?? '');
  const files = result.operation as unknown as Record<string, string>;
  expect(files.objectType).toBe('ExportJobsOperationResultInfo');
  const listed = await Array.fromAsync(
    backup.backupJobs.list(...at, { filter: "operation eq 'Backup' and status eq 'Completed'" }),
  );
  const fetched = await fetchFile(`${files.blobUrl}${files.blobSasKey}`);
  expect(fetched).toMatchObject({ status: 200, type: 'application/json; charset=utf-8' });
  expect(JSON.parse(fetched.text).map((job: { name: string }) => job.name)).toEqual(
    listed.map((job) => job.name),
  );
  const table = await fetchFile(`${files.excelFileBlobUrl}${files.excelFileBlobSasKey}`);
  expect(table.text.split('\r\n').length).toBe(listed.length + 2);
  // Neither without the key, nor with that of the other file.
  for (const link of [
    files.blobUrl,
    `${files.blobUrl}${files.excelFileBlobSasKey}`,
    `${files.blobUrl}?se=x&sig=y`,
  ])
    expect((await fetchFile(link ?? '')).status).toBe(404);
  await exportJobs("backupManagementType eq 'MAB'");
  const none = await backup.exportJobsOperationResults.get(...at, ids.at(-1) ?? '');
  const empty = none.operation as unknown as Record<string, string>;
  expect((await fetchFile(`${empty.blobUrl}${empty.blobSasKey}`)).text).toBe('[]\n');
});

/** Fetches as a browser does that has a link and no token. */
async function fetchFile(url: string): Promise<{ status: number; type: string | undefined; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get(url, { ca: service.ca }, resolve).on('error', reject);
  const answer = await promise;
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return { status: answer.statusCode ?? 0, type: answer.headers['content-type'], text };
}
