/** The api-version every request names. */
export const apiVersion = '2026-07-01';

export interface VaultAddress {
  resourceGroup: string;
  vault: string;
}

/** A VM under protection in a vault. The VM's resource group is that of its host. */
export interface ItemAddress extends VaultAddress {
  vm: string;
  vmResourceGroup: string;
}

/** A path of the API; every value becomes one percent-encoded segment, whatever it contains. */
function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((text, part, i) => text + encodeURIComponent(values[i - 1] ?? '') + part);
}

export const paths = {
  service: '/holdfast/service',
  subscriptions: '/subscriptions',
  /** What spans the whole estate. */
  fleet: (sub: string, kind: 'overview' | 'jobs' | 'protectedItems' | 'events') =>
    path`/subscriptions/${sub}/providers/Holdfast.Fleet/${kind}`,
  hosts: (sub: string) => path`/subscriptions/${sub}/providers/Holdfast.Fleet/hosts`,
  host: (sub: string, group: string, name: string) =>
    path`/subscriptions/${sub}/resourceGroups/${group}/providers/Holdfast.Fleet/hosts/${name}`,
  virtualMachines: (sub: string) => path`/subscriptions/${sub}/providers/Holdfast.Fleet/virtualMachines`,
  freezeHook: (sub: string) => path`/subscriptions/${sub}/providers/Holdfast.Fleet/freezeHook`,
  virtualMachine: (sub: string, group: string, name: string) =>
    path`/subscriptions/${sub}/resourceGroups/${group}/providers/Holdfast.Fleet/virtualMachines/${name}`,
  vaults: (sub: string) => path`/subscriptions/${sub}/providers/Microsoft.RecoveryServices/vaults`,
  vaultNameCheck: (sub: string, group: string, location: string) =>
    path`/subscriptions/${sub}/resourceGroups/${group}/providers/Microsoft.RecoveryServices/locations/${location}/checkNameAvailability`,
  protectionCheck: (sub: string, location: string) =>
    path`/subscriptions/${sub}/providers/Microsoft.RecoveryServices/locations/${location}/backupPreValidateProtection`,
  vault: (sub: string, at: VaultAddress) =>
    path`/subscriptions/${sub}/resourceGroups/${at.resourceGroup}/providers/Microsoft.RecoveryServices/vaults/${at.vault}`,
  store: (sub: string, at: VaultAddress) =>
    path`/subscriptions/${sub}/resourceGroups/${at.resourceGroup}/providers/Holdfast.Fleet/stores/${at.vault}`,
  vaultKeys: (sub: string, at: VaultAddress) => `${paths.vault(sub, at)}/providers/Holdfast.Fleet/keys`,
  vaultKey: (sub: string, at: VaultAddress, name: string) => paths.vaultKeys(sub, at) + path`/${name}`,
  vaultUnlock: (sub: string, at: VaultAddress) => `${paths.vault(sub, at)}/providers/Holdfast.Fleet/unlock`,
  item: (sub: string, at: ItemAddress) => {
    const name = `iaasvmcontainerv2;${at.vmResourceGroup};${at.vm}`;
    const inVault = path`/backupFabrics/Azure/protectionContainers/${`iaasvmcontainer;${name}`}/protectedItems/${`vm;${name}`}`;
    return paths.vault(sub, at) + inVault;
  },
  container: (sub: string, at: ItemAddress) =>
    paths.vault(sub, at) +
    path`/backupFabrics/Azure/protectionContainers/${`iaasvmcontainer;iaasvmcontainerv2;${at.vmResourceGroup};${at.vm}`}`,
  replica: (sub: string, at: VaultAddress) =>
    `${paths.vault(sub, at)}/providers/Holdfast.Fleet/replicas/default`,
  policies: (sub: string, at: VaultAddress) => `${paths.vault(sub, at)}/backupPolicies`,
  policy: (sub: string, at: VaultAddress, name: string) => paths.policies(sub, at) + path`/${name}`,
  items: (sub: string, at: VaultAddress) => `${paths.vault(sub, at)}/backupProtectedItems`,
  recoveryPoints: (sub: string, at: ItemAddress) => `${paths.item(sub, at)}/recoveryPoints`,
  recoveryPoint: (sub: string, at: ItemAddress, name: string) =>
    paths.recoveryPoints(sub, at) + path`/${name}`,
  jobs: (sub: string, at: VaultAddress) => `${paths.vault(sub, at)}/backupJobs`,
  job: (sub: string, at: VaultAddress, name: string) => paths.jobs(sub, at) + path`/${name}`,
};

/** The value after `segment` in a resource id (`resourceGroups`, `vaults`, …), whatever its case; undefined if absent. */
export function segmentOf(resourceId: string, segment: string): string | undefined {
  const parts = resourceId.split('/');
  const at = parts.findIndex((part) => part.toLowerCase() === segment.toLowerCase());
  return at < 0 ? undefined : parts[at + 1];
}
