import type { ItemState } from './item-life.ts';
import { type Judgement, judge, type Refusal } from './judgement.ts';
import type { BackupPolicy } from './policy.ts';
import { refusePolicy, type VmFacts } from './policy-fit.ts';

/** An item that the VM already has in some vault. */
export interface KnownItem {
  vault: string;
  state: ItemState;
}

/**
 * Whether a VM may be put under protection in a vault, as a new item.
 * @param known the items the VM has, in this vault or another
 */
export function judgeEnabling(
  vm: VmFacts,
  vault: { name: string; region: string },
  policy: BackupPolicy,
  known: readonly KnownItem[],
): Judgement<{ next: 'IRPending' }> {
  const refusals: Refusal[] = [];
  if (vm.region.toLowerCase() !== vault.region.toLowerCase())
    refusals.push({
      code: 'UserErrorVaultAndVmInDifferentRegions',
      message: `VM '${vm.name}' is in region '${vm.region}', vault '${vault.name}' in '${vault.region}'.`,
    });
  refusals.push(...known.flatMap((item) => refuseKnown(vm, vault.name, item)), ...refusePolicy(vm, policy));
  return judge(refusals, { next: 'IRPending' });
}

/** One vault per VM. What is soft-deleted elsewhere counts no more; here it would come back twice. */
function refuseKnown(vm: VmFacts, vault: string, item: KnownItem): Refusal[] {
  const here = item.vault.toLowerCase() === vault.toLowerCase();
  if (item.state === 'SoftDeleted')
    return here
      ? [
          {
            code: 'UserErrorItemSoftDeleted',
            message: `VM '${vm.name}' is soft-deleted in vault '${vault}'.`,
          },
        ]
      : [];
  const stopped = item.state === 'ProtectionStopped' ? ', where its protection is stopped' : '';
  return [
    {
      code: 'UserErrorVmAlreadyProtected',
      // Whoever asks may not be allowed to see the other vault, not even its name.
      message: `VM '${vm.name}' belongs to ${here ? `vault '${vault}'` : 'another vault'}${stopped}.`,
      ...(here && { action: 'Change its policy there, or resume its protection.' }),
    },
  ];
}
