import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EstateLife } from './testing/estate-life.ts';
import {
  type Change,
  fates,
  type PolicyName,
  policyTypes,
  type Step,
  type Tally,
  vaultIds,
  vmNames,
} from './testing/estate-model.ts';

/** Weeks in the life of three VMs and two vaults, against a model that knows nothing of how any of it is done. */
const vault = fc.constantFrom(...vaultIds, 'v1' as const);
const vm = fc.constantFrom(...vmNames, 'web' as const, 'web' as const);
const policy = fc.constantFrom(...(Object.keys(policyTypes) as PolicyName[]));
const pick = fc.nat({ max: 3 });
const word = <const T extends string>(...words: T[]) => fc.constantFrom(...words);

const ofItem: [weight: number, arbitrary: fc.Arbitrary<Change>][] = [
  [6, fc.record({ do: word('configure'), vault, vm, policy })],
  [6, fc.record({ do: word('stop', 'suspend', 'undelete', 'purge'), vault, vm })],
  [2, fc.record({ do: word('delete'), vault, vm, typed: word('right', 'right', 'right', 'wrong') })],
  [10, fc.record({ do: word('backUp'), vault, vm, fate: word('well', 'well', ...fates) })],
  [3, fc.record({ do: word('deletePoint', 'undeletePoint'), vault, vm, pick })],
  [1, fc.record({ do: word('extendPoint'), vault, vm, pick, days: fc.constantFrom(1, 20, 50, 100) })],
];
const ofVault: [weight: number, arbitrary: fc.Arbitrary<Change>][] = [
  [2, fc.record({ do: word('secure'), vault, immutability: word('Disabled', 'Unlocked', 'Unlocked') })],
  // Once locked, that vault allows little: at last, and in one of the two only.
  [1, fc.record({ do: word('secure'), vault: word('v2'), immutability: word('Locked') })],
  [2, fc.record({ do: word('editPolicy'), vault, policy, days: fc.constantFrom(7, 30, 60, 90) })],
  [2, fc.record({ do: word('replicate') })],
  [6, fc.record({ do: word('pass'), hours: fc.constantFrom(3, 24, 24 * 8, 24 * 15, 24 * 35) })],
  [1, fc.record({ do: word('jump'), hours: fc.constantFrom(1, 24 * 15, 24 * 50) })],
];
const oneOf = <T>(all: [number, fc.Arbitrary<T>][]) =>
  fc.oneof(...all.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const step = oneOf<Step>([
  ...ofItem,
  ...ofVault,
  [2, fc.record({ do: word('restore'), vault, vm, pick, from: word('anywhere', 'vault', 'replica') })],
  [1, fc.record({ do: word('vanish', 'return'), vm })],
  [1, fc.record({ do: word('restart') })],
  [6, fc.record({ do: word('die'), at: fc.nat({ max: 25 }), during: oneOf([...ofItem, ...ofVault]) })],
]);

async function live(steps: readonly Step[]): Promise<Tally> {
  const tally: Tally = new Map();
  await using life = await EstateLife.begin(tally);
  for (const each of steps) await life.step(each);
  await life.audit();
  return tally;
}

/** A life in which everything happens, so that none of it rests on chance. */
const fullLife: readonly Step[] = [
  { do: 'backUp', vault: 'v1', vm: 'web', fate: 'well' },
  { do: 'backUp', vault: 'v1', vm: 'web', fate: 'hostFails' },
  { do: 'backUp', vault: 'v1', vm: 'web', fate: 'storeFails' },
  { do: 'backUp', vault: 'v1', vm: 'web', fate: 'cancelled' },
  { do: 'backUp', vault: 'v1', vm: 'web', fate: 'hostHiccups' },
  { do: 'configure', vault: 'v2', vm: 'web', policy: 'Longer' }, // it belongs to the other vault
  { do: 'configure', vault: 'v2', vm: 'db', policy: 'EnhancedPolicy' },
  { do: 'configure', vault: 'v2', vm: 'db', policy: 'Longer' }, // no way back
  { do: 'pass', hours: 24 },
  { do: 'replicate' },
  { do: 'restore', vault: 'v1', vm: 'web', pick: 0, from: 'replica' },
  { do: 'restore', vault: 'v1', vm: 'web', pick: 1, from: 'vault' },
  { do: 'restore', vault: 'v2', vm: 'db', pick: 0, from: 'replica' }, // that vault has none
  { do: 'deletePoint', vault: 'v1', vm: 'web', pick: 0 },
  { do: 'undeletePoint', vault: 'v1', vm: 'web', pick: 0 },
  { do: 'undeletePoint', vault: 'v1', vm: 'web', pick: 0 }, // nobody has deleted it now
  { do: 'deletePoint', vault: 'v1', vm: 'web', pick: 1 },
  { do: 'extendPoint', vault: 'v1', vm: 'web', pick: 0, days: 100 },
  { do: 'extendPoint', vault: 'v1', vm: 'web', pick: 0, days: 1 }, // that is sooner
  { do: 'editPolicy', vault: 'v1', policy: 'DefaultPolicy', days: 60 },
  { do: 'die', at: 2, during: { do: 'editPolicy', vault: 'v1', policy: 'DefaultPolicy', days: 90 } },
  { do: 'secure', vault: 'v1', immutability: 'Locked' }, // not before Unlocked
  { do: 'secure', vault: 'v2', immutability: 'Unlocked' },
  { do: 'editPolicy', vault: 'v2', policy: 'EnhancedPolicy', days: 7 }, // that reduces
  { do: 'secure', vault: 'v2', immutability: 'Locked' },
  { do: 'secure', vault: 'v2', immutability: 'Disabled' }, // never again
  { do: 'delete', vault: 'v2', vm: 'db', typed: 'right' }, // not before it has expired
  { do: 'deletePoint', vault: 'v2', vm: 'db', pick: 1 },
  { do: 'suspend', vault: 'v1', vm: 'web' }, // immutable vaults only
  { do: 'suspend', vault: 'v2', vm: 'db' },
  { do: 'pass', hours: 24 * 35 },
  { do: 'backUp', vault: 'v2', vm: 'db', fate: 'well' }, // suspended
  { do: 'configure', vault: 'v2', vm: 'db', policy: 'EnhancedPolicy' },
  { do: 'die', at: 6, during: { do: 'backUp', vault: 'v2', vm: 'db', fate: 'well' } },
  { do: 'vanish', vm: 'db' },
  { do: 'backUp', vault: 'v2', vm: 'db', fate: 'well' }, // it fails
  { do: 'restore', vault: 'v2', vm: 'db', pick: 0, from: 'anywhere' },
  { do: 'return', vm: 'db' },
  { do: 'configure', vault: 'v2', vm: 'db', policy: 'EnhancedPolicy' }, // the new one of that name
  { do: 'backUp', vault: 'v2', vm: 'db', fate: 'well' },
  { do: 'restart' },
  { do: 'die', at: 12, during: { do: 'pass', hours: 24 * 8 } },
  { do: 'stop', vault: 'v1', vm: 'web' },
  { do: 'delete', vault: 'v1', vm: 'web', typed: 'wrong' },
  { do: 'delete', vault: 'v1', vm: 'web', typed: 'right' },
  { do: 'configure', vault: 'v1', vm: 'web', policy: 'Longer' }, // it is soft-deleted
  { do: 'stop', vault: 'v1', vm: 'web' },
  { do: 'undelete', vault: 'v1', vm: 'web' },
  { do: 'undelete', vault: 'v1', vm: 'web' },
  { do: 'delete', vault: 'v1', vm: 'web', typed: 'right' },
  { do: 'purge', vault: 'v1', vm: 'web' }, // not before its time
  { do: 'jump', hours: 24 * 15 },
  { do: 'purge', vault: 'v1', vm: 'web' },
  { do: 'configure', vault: 'v2', vm: 'web', policy: 'DefaultPolicy' },
  { do: 'backUp', vault: 'v2', vm: 'web', fate: 'well' },
];

it('lives a life in which everything happens', async () => {
  const tally = await live(fullLife);
  const refusable =
    'backUp configure delete deletePoint editPolicy extendPoint purge restore secure stop suspend undelete undeletePoint';
  const wanted = [
    ...refusable.split(' ').flatMap((kind) => [kind, `${kind} refused`]),
    ...['jump', 'pass', 'replicate', 'restart', 'return', 'vanish'],
    ...['die in backUp', 'die in editPolicy', 'die in pass'],
    ...['point deleted', 'point expired', 'point purged'],
  ];
  expect([...tally.keys()].sort()).toEqual(wanted.sort());
}, 120_000);

it('lives as the model says, whatever is asked of it, and whenever the service dies', async () => {
  // Another seed by HOLDFAST_SEED; the one of a failure is in its report.
  const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_121);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40, size: 'max' }), async (steps) => {
      await live(steps);
    }),
    { seed, numRuns: 40, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
}, 300_000);
