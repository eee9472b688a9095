import type { HostRow, ItemRow, VaultRow } from '../catalog/index.ts';

/** ARM resource ids, as Azure writes them. Matching them is a matter of the router, which ignores case. */
export interface ResourceIds {
  group(resourceGroup: string): string;
  vault(vault: VaultRow): string;
  /** The second store of a vault, of which there is at most one. */
  replica(vault: VaultRow): string;
  vaultKey(vault: VaultRow, name: string): string;
  policy(vault: VaultRow, name: string): string;
  item(vault: VaultRow, item: ItemRow): string;
  point(vault: VaultRow, item: ItemRow, pointId: string): string;
  job(vault: VaultRow, jobId: string): string;
  host(host: HostRow): string;
  /** The store of a vault. */
  store(vault: VaultRow): string;
  /** The VM as Azure's clients name it. */
  virtualMachine(resourceGroup: string, name: string): string;
  /** The VM under our own provider. */
  fleetMachine(resourceGroup: string, name: string): string;
}

export function resourceIds(subscriptionId: string): ResourceIds {
  const group = (resourceGroup: string) => `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
  const vault = (row: VaultRow) =>
    `${group(row.resource_group)}/providers/Microsoft.RecoveryServices/vaults/${row.name}`;
  const item = (row: VaultRow, protectedItem: ItemRow) =>
    `${vault(row)}/backupFabrics/Azure/protectionContainers/IaasVMContainer;${containerName(protectedItem)}` +
    `/protectedItems/VM;${containerName(protectedItem)}`;
  return {
    group,
    vault,
    replica: (row) => `${vault(row)}/providers/Holdfast.Fleet/replicas/default`,
    vaultKey: (row, name) => `${vault(row)}/providers/Holdfast.Fleet/keys/${name}`,
    policy: (row, name) => `${vault(row)}/backupPolicies/${name}`,
    item,
    point: (row, protectedItem, pointId) => `${item(row, protectedItem)}/recoveryPoints/${pointId}`,
    job: (row, jobId) => `${vault(row)}/backupJobs/${jobId}`,
    host: (row) => `${group(row.resource_group)}/providers/Holdfast.Fleet/hosts/${row.name}`,
    store: (row) => `${group(row.resource_group)}/providers/Holdfast.Fleet/stores/${row.name}`,
    virtualMachine: (resourceGroup, name) =>
      `${group(resourceGroup)}/providers/Microsoft.Compute/virtualMachines/${name}`,
    fleetMachine: (resourceGroup, name) =>
      `${group(resourceGroup)}/providers/Holdfast.Fleet/virtualMachines/${name}`,
  };
}

/** Azure's short container name: `iaasvmcontainerv2;{resource group of the VM};{VM}`. */
export function containerName(item: Pick<ItemRow, 'host_resource_group' | 'vm_name'>): string {
  return `iaasvmcontainerv2;${item.host_resource_group};${item.vm_name}`;
}

/**
 * The VM that an item's or container's name means: the last two parts of `vm;iaasvmcontainerv2;{rg};{vm}`, of the older
 * `vm;{rg};{vm}`, or of `iaasvmcontainerv2;{rg};{vm}`, the name of one that could be protected. Undefined when it is no
 * such name.
 */
export function machineOfItemName(name: string): { resourceGroup: string; machine: string } | undefined {
  const match =
    /^(?:(?:vm|iaasvmcontainer);(?:iaasvmcontainer(?:v2)?;)?|iaasvmcontainerv2;)([^;]+);([^;]+)$/i.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { resourceGroup: match[1], machine: match[2] };
}

/** The VM that an ARM id of a virtual machine means, whichever provider it is written with. */
export function machineOfResourceId(id: string): { resourceGroup: string; machine: string } | undefined {
  const match =
    /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)\/providers\/(?:Microsoft\.Compute|Holdfast\.Fleet)\/virtualMachines\/([^/]+)$/i.exec(
      id,
    );
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { resourceGroup: match[1], machine: match[2] };
}

/** The last segment of an ARM id, or the text itself when it is a plain name. */
export const nameOfResourceId = (id: string): string => id.slice(id.lastIndexOf('/') + 1);
