import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ItemRow, PointRow, VaultRow } from '../catalog/index.ts';
import type { RestoreRequest } from './client/index.ts';
import { restoreOptionsOf } from './restore-target.ts';
import type { ApiScope } from './scope.ts';

const found = {
  vault: { location: 'local' } as VaultRow,
  item: { vm_name: 'web', host_resource_group: 'default', host_name: 'h' } as ItemRow,
  point: { point_id: '1', frozen_json: '{"disks":[{"target":"vda"},{"target":"vdb"}]}' } as PointRow,
};

let root: string;
let outside: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-root-'));
  outside = await mkdtemp(join(tmpdir(), 'holdfast-outside-'));
});
afterEach(async () => {
  for (const path of [root, outside]) await rm(path, { recursive: true });
});

const optionsOf = (properties: Partial<RestoreRequest['properties']>, anywhere = false) =>
  restoreOptionsOf(
    { restoreRoots: [root] } as unknown as ApiScope,
    found,
    {
      objectType: 'IaasVMRestoreRequest',
      recoveryType: 'RestoreDisks',
      storageAccountId: root,
      ...properties,
    },
    anywhere,
  );

it('restores under a root, and nowhere else unless the caller may', async () => {
  expect((await optionsOf({ storageAccountId: join(root, 'new', 'deep') })).directory).toBe(
    join(root, 'new', 'deep'),
  );
  for (const wrong of [outside, `${root}/../x`, `${root}-beside`, '/', `${root}/../../etc`])
    await expect(optionsOf({ storageAccountId: wrong })).rejects.toMatchObject({ code: 'InvalidInput' });
  expect((await optionsOf({ storageAccountId: outside }, true)).directory).toBe(outside);
});

it('follows no link out of a root', async () => {
  await symlink(outside, join(root, 'link'));
  await expect(optionsOf({ storageAccountId: join(root, 'link', 'x') })).rejects.toMatchObject({
    code: 'InvalidInput',
  });
  await mkdir(join(root, 'inside'));
  await symlink(join(root, 'inside'), join(root, 'fine'));
  expect((await optionsOf({ storageAccountId: join(root, 'fine') })).directory).toBe(join(root, 'fine'));
});

it('takes disks by their logical units, and networks by their ids', async () => {
  expect((await optionsOf({ restoreDiskLunList: [0] })).disks).toEqual(['vdb']);
  await expect(optionsOf({ restoreDiskLunList: [1] })).rejects.toMatchObject({ code: 'InvalidInput' });
  const network = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/lan';
  expect(
    await optionsOf({
      recoveryType: 'AlternateLocation',
      targetVirtualMachineId:
        '/subscriptions/s/resourceGroups/DEFAULT/providers/Microsoft.Compute/virtualMachines/two',
      virtualNetworkId: network,
      subnetId: `${network}/subnets/default`,
    }),
  ).toMatchObject({ kind: 'machine', machineName: 'two', network: 'lan', connectNetwork: true });
  for (const wrong of [
    { virtualNetworkId: 'lan' },
    { virtualNetworkId: network, subnetId: network.replace('lan', 'wan') },
    {
      targetVirtualMachineId:
        '/subscriptions/s/resourceGroups/other/providers/Microsoft.Compute/virtualMachines/two',
    },
    { targetResourceGroupId: '/subscriptions/s/resourceGroups/other' },
  ])
    await expect(optionsOf(wrong)).rejects.toMatchObject({ code: 'InvalidInput' });
});

it('replaces the disks of the VM that is named, and of no other', async () => {
  const vm = '/subscriptions/s/resourceGroups/default/providers/Microsoft.Compute/virtualMachines/web';
  const original = { recoveryType: 'OriginalLocation', sourceResourceId: vm } as const;
  expect(
    await optionsOf({ ...original, restoreDiskLunList: [0], holdfast: { start: true, tier: 'vault' } }),
  ).toEqual({ kind: 'original', directory: '', disks: ['vdb'], start: true, tier: 'vault' });
  for (const wrong of [
    { recoveryType: 'OriginalLocation' as const },
    { ...original, targetVirtualMachineId: vm.replace('web', 'other') },
    { ...original, virtualNetworkId: vm.replace('Compute/virtualMachines', 'Network/virtualNetworks') },
    { ...original, holdfast: { live: true } },
    { ...original, holdfast: { diskFormat: 'raw' as const } },
  ])
    await expect(optionsOf(wrong)).rejects.toMatchObject({ code: 'InvalidInput' });
  await expect(
    restoreOptionsOf(
      {} as ApiScope,
      found,
      { objectType: 'IaasVMRestoreRequest', recoveryType: 'RestoreDisks' },
      true,
    ),
  ).rejects.toThrow(/storageAccountId: it is missing/);
});
