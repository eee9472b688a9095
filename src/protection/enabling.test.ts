import { expect, it } from 'vitest';
import { judgeEnabling, type KnownItem } from './enabling.ts';
import { defaultPolicy, enhancedPolicy } from './policy.ts';

const vm = { name: 'web', region: 'West', disks: ['vda'] };
const vault = { name: 'v1', region: 'west' };
const codes = (
  known: KnownItem[],
  changes: Partial<typeof vm & { zone: string }> = {},
  policy = defaultPolicy,
) => {
  const judgement = judgeEnabling({ ...vm, ...changes }, vault, policy, known);
  return judgement.allowed ? judgement.next : judgement.refusals.map(({ code }) => code);
};

it('takes a VM of the region that no vault has', () => {
  expect(codes([])).toBe('IRPending');
  expect(codes([], { region: 'east' })).toEqual(['UserErrorVaultAndVmInDifferentRegions']);
});

it('takes a VM of an extended zone with Enhanced policies only, in a vault of the parent region', () => {
  expect(codes([], { zone: 'z1' }, enhancedPolicy)).toBe('IRPending');
  expect(codes([], { zone: 'z1', region: 'east' })).toEqual([
    'UserErrorVaultAndVmInDifferentRegions',
    'UserErrorExtendedZoneNeedsEnhancedPolicy',
  ]);
});

it.each<[string, KnownItem, string | string[]]>([
  ['protected elsewhere', { vault: 'v2', state: 'Protected' }, ['UserErrorVmAlreadyProtected']],
  ['stopped elsewhere', { vault: 'v2', state: 'ProtectionStopped' }, ['UserErrorVmAlreadyProtected']],
  ['soft-deleted elsewhere', { vault: 'v2', state: 'SoftDeleted' }, 'IRPending'],
  ['protected here', { vault: 'V1', state: 'Protected' }, ['UserErrorVmAlreadyProtected']],
  ['soft-deleted here', { vault: 'v1', state: 'SoftDeleted' }, ['UserErrorItemSoftDeleted']],
])('answers for a VM that is %s', (_, known, expected) => {
  expect(codes([known])).toEqual(expected);
});

it('says where a VM is protected, and what to do about it where that is here', () => {
  const told = (known: KnownItem) => {
    const judgement = judgeEnabling(vm, vault, defaultPolicy, [known]);
    if (judgement.allowed) throw new Error('it was allowed');
    const [{ message, action }] = judgement.refusals;
    return [message, action];
  };
  const action = 'Change its policy there, or resume its protection.';
  expect(told({ vault: 'v1', state: 'Protected' })).toEqual(["VM 'web' belongs to vault 'v1'.", action]);
  expect(told({ vault: 'v2', state: 'ProtectionStopped' })).toEqual([
    "VM 'web' belongs to another vault, where its protection is stopped.",
    undefined,
  ]);
});
