import type { ItemState } from './item-life.ts';
import { type Judgement, judge, type Refusal } from './judgement.ts';
import type { BackupPolicy } from './policy.ts';
import { refusePolicy, type VmFacts } from './policy-fit.ts';
import { refuseReductions, type VaultSecurity } from './vault-security.ts';

/** An item under the policy that is edited. */
export interface PolicyMember {
  name: string;
  state: ItemState;
  vm: VmFacts | undefined;
}

/** What an edit does to one member. Each is configured by a job of its own, and fails by its own name. */
export type MemberEffect =
  | { name: string; effect: 'configure' }
  /** It stays as it is: its points go on to expire by the policy as it was when its backups were suspended. */
  | { name: string; effect: 'leave'; reason: string }
  | { name: string; effect: 'fail'; refusals: readonly Refusal[] };

/**
 * Whether a policy may be edited so, and what that does to the items under it. Members that can't follow fail, the
 * others do not: then the policy is put back, those members get another one, and the edit is made again.
 */
export function judgePolicyEdit(
  before: BackupPolicy,
  after: BackupPolicy,
  members: readonly PolicyMember[],
  security: VaultSecurity,
): Judgement<{ members: MemberEffect[] }> {
  const type = { V1: 'a Standard', V2: 'an Enhanced' };
  const retyped: Refusal | undefined =
    before.policyType === after.policyType
      ? undefined
      : {
          code: 'UserErrorPolicyTypeChangeNotAllowed',
          message: `Policy '${before.name}' is ${type[before.policyType]} policy and can't become ${type[after.policyType]} one.`,
          action:
            after.policyType === 'V2'
              ? 'Create an Enhanced policy, and change the policy of each VM to it.'
              : 'Keep it as it is, and create a Standard policy for other VMs: those under an Enhanced policy never go back.',
        };
  return judge([retyped, refuseReductions(security, before, after)], {
    members: members.map((member) => effectOn(member, after)),
  });
}

function effectOn({ name, state, vm }: PolicyMember, after: BackupPolicy): MemberEffect {
  if (state === 'BackupsSuspended')
    return {
      name,
      effect: 'leave',
      reason: 'its backups are suspended; the edit reaches it when they are resumed',
    };
  if (state !== 'IRPending' && state !== 'Protected')
    return { name, effect: 'leave', reason: 'its protection is stopped' };
  const refusals: Refusal[] =
    vm === undefined
      ? [{ code: 'UserErrorVmNotFoundV2', message: `The VM of '${name}' is gone.` }]
      : refusePolicy(vm, after);
  return refusals.length === 0 ? { name, effect: 'configure' } : { name, effect: 'fail', refusals };
}

/** Whether a policy may be deleted. */
export function judgePolicyDeletion(policy: string, members: number): Judgement {
  return judge(
    members === 0
      ? []
      : [
          {
            code: 'ResourceInUse',
            message: `Policy '${policy}' protects ${members} ${members === 1 ? 'item' : 'items'}.`,
            action: 'Give them another policy, or stop their protection, first.',
          },
        ],
    {},
  );
}
