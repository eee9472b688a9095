import { isInstant, isLive, type RestoreOptions, type StoreChoice, type Tier } from './restore-plan.ts';

export const transferFromVault = 'Transfer data from vault';
export const transferFromReplica = 'Transfer data from replica';
export const copyFromSnapshotTask = 'Copy data from snapshot';
export const attachSnapshot = 'Attach snapshot';
export const attachVault = 'Attach disks from vault';
export const replaceDisksTask = 'Replace disks';
export const createMachine = 'Create virtual machine';
export const flattenDisks = 'Copy snapshot data in the background';
export const detachVault = 'Copy data from vault in the background';

export const storeTasks: Record<StoreChoice, string> = {
  primary: transferFromVault,
  replica: transferFromReplica,
};

/** The task that brings the disks into place. */
export function dataTask(options: RestoreOptions, tier: Tier, store: StoreChoice): string {
  if (tier === 'snapshot') return isInstant(options, tier) ? attachSnapshot : copyFromSnapshotTask;
  return isLive(options) ? attachVault : storeTasks[store];
}

/** The task that gives a VM disks of its own that runs already; undefined where it starts with such. */
export function backgroundTask(options: RestoreOptions, tier: Tier): string | undefined {
  if (isLive(options)) return detachVault;
  return isInstant(options, tier) && options.start === true ? flattenDisks : undefined;
}
