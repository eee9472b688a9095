import { type ItemAddress, segmentOf, type VaultAddress } from '../../../src/api/client/browser.ts';

/** The parts of resource ids that addresses of pages are made of. */

export function vaultOf(resourceId: string): VaultAddress {
  return {
    resourceGroup: segmentOf(resourceId, 'resourceGroups') ?? '',
    vault: segmentOf(resourceId, 'vaults') ?? '',
  };
}

/** The item's name in its id ends with `;{resource group};{VM}`. */
export function itemOf(resourceId: string): ItemAddress {
  const [vm = '', vmResourceGroup = ''] = (segmentOf(resourceId, 'protectedItems') ?? '')
    .split(';')
    .reverse();
  return { ...vaultOf(resourceId), vm, vmResourceGroup };
}

export const groupOf = (resourceId: string): string => segmentOf(resourceId, 'resourceGroups') ?? '';

/** Parameters of the pages' addresses. */
export const vaultParams = (at: VaultAddress) => ({ group: at.resourceGroup, vault: at.vault });
export const itemParams = (at: ItemAddress) => ({
  ...vaultParams(at),
  vmGroup: at.vmResourceGroup,
  vm: at.vm,
});
