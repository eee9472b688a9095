import { describe, expect, it } from 'vitest';
import { type BackupPolicy, defaultPolicy, enhancedPolicy } from './policy.ts';
import { judgePolicyDeletion, judgePolicyEdit, type PolicyMember } from './policy-edit.ts';
import { securityOfNewVault } from './vault-security.ts';

const vm = { name: 'web', region: 'west', disks: ['vda'] };
const member = (name: string, changes: Partial<PolicyMember> = {}): PolicyMember => ({
  name,
  state: 'Protected',
  vm: { ...vm, name },
  ...changes,
});
const crashConsistent: BackupPolicy = { ...enhancedPolicy, snapshotConsistencyType: 'OnlyCrashConsistent' };
const shared = member('shared', {
  vm: { ...vm, name: 'shared', crashConsistentObstacle: 'disk vda is shared' },
});

function effects(after: BackupPolicy, members: PolicyMember[], before: BackupPolicy = enhancedPolicy) {
  const judgement = judgePolicyEdit(before, after, members, securityOfNewVault);
  if (!judgement.allowed) throw new Error('it was refused');
  return judgement.members.map(({ name, effect }) => `${name}: ${effect}`);
}

describe('an edit of a policy in use', () => {
  it('configures each member that is under protection', () => {
    const members = [
      member('a'),
      member('b', { state: 'IRPending' }),
      member('c', { state: 'BackupsSuspended' }),
    ];
    expect(effects({ ...enhancedPolicy, instantRetentionDays: 5 }, members)).toEqual([
      'a: configure',
      'b: configure',
      'c: leave',
    ]);
    const suspended = judgePolicyEdit(enhancedPolicy, enhancedPolicy, members, securityOfNewVault);
    expect(suspended).toMatchObject({
      members: [{}, {}, { reason: expect.stringContaining('when they are resumed') }],
    });
  });

  it('fails by name for a member that does not support it; back, without it, and again works', () => {
    expect(effects(crashConsistent, [member('a'), shared])).toEqual(['a: configure', 'shared: fail']);
    const judgement = judgePolicyEdit(enhancedPolicy, crashConsistent, [shared], securityOfNewVault);
    expect(judgement).toMatchObject({
      members: [{ refusals: [{ code: 'UserErrorVmNotSupportedForCrashConsistentBackup' }] }],
    });
    expect(effects(enhancedPolicy, [member('a'), shared], crashConsistent)).toEqual([
      'a: configure',
      'shared: configure',
    ]);
    expect(effects(crashConsistent, [member('a')])).toEqual(['a: configure']);
  });

  it('fails for a member whose VM is gone', () => {
    expect(effects(enhancedPolicy, [member('a', { vm: undefined })])).toEqual(['a: fail']);
  });

  it('is refused as a whole where it would change the kind of policy, or take from an immutable vault', () => {
    const typed = { ...enhancedPolicy, policyType: 'V1', schedule: defaultPolicy.schedule } as const;
    for (const [before, after, advice] of [
      [enhancedPolicy, typed, /^Keep it as it is/],
      [typed, enhancedPolicy, /^Create an Enhanced policy/],
    ] as const)
      expect(judgePolicyEdit(before, after, [], securityOfNewVault)).toMatchObject({
        refusals: [{ code: 'UserErrorPolicyTypeChangeNotAllowed', action: expect.stringMatching(advice) }],
      });
    const immutable = { ...securityOfNewVault, immutability: 'Unlocked' } as const;
    const shorter = { ...enhancedPolicy, retention: { daily: { count: 29 } } };
    expect(judgePolicyEdit(enhancedPolicy, shorter, [], immutable)).toMatchObject({
      refusals: [{ code: 'UserErrorOperationDeniedOnImmutableItem' }],
    });
    expect(judgePolicyEdit(shorter, enhancedPolicy, [], immutable).allowed).toBe(true);
  });
});

it('deletes a policy only when nothing is under it', () => {
  expect(judgePolicyDeletion('p', 0).allowed).toBe(true);
  for (const [members, items] of [
    [1, '1 item'],
    [2, '2 items'],
  ] as const)
    expect(judgePolicyDeletion('p', members)).toMatchObject({
      refusals: [{ code: 'ResourceInUse', message: `Policy 'p' protects ${items}.` }],
    });
});
