import type { Refusal } from './judgement.ts';
import type { BackupPolicy } from './policy.ts';

/** What the rules need to know of a virtual machine. */
export interface VmFacts {
  name: string;
  region: string;
  /** The extended zone of the region that it runs in, if it does. */
  zone?: string;
  /** Names of its disks. */
  disks: readonly string[];
  /** Why only crash-consistent backups are not possible of it; absent when they are. */
  crashConsistentObstacle?: string;
}

/** What speaks against a policy for this VM, whatever its item's history. */
export function refusePolicy(vm: VmFacts, policy: BackupPolicy): Refusal[] {
  const refusals: Refusal[] = [];
  if (vm.zone !== undefined && policy.policyType === 'V1')
    refusals.push({
      code: 'UserErrorExtendedZoneNeedsEnhancedPolicy',
      message: `VM '${vm.name}' runs in extended zone '${vm.zone}', and policy '${policy.name}' is a Standard one.`,
    });
  if (policy.snapshotConsistencyType === 'OnlyCrashConsistent' && vm.crashConsistentObstacle !== undefined)
    refusals.push({
      code: 'UserErrorVmNotSupportedForCrashConsistentBackup',
      message: `VM '${vm.name}' can't be backed up with only crash-consistent policy '${policy.name}': ${vm.crashConsistentObstacle}.`,
    });
  return refusals;
}
