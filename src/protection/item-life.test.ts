import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ItemAction,
  type ItemActionKind,
  type ItemFacts,
  type ItemState,
  itemStates,
  judgeItemAction,
  retentionOf,
  stateAfterBackup,
} from './item-life.ts';
import { refusalError } from './judgement.ts';
import { type BackupPolicy, defaultPolicy, enhancedPolicy } from './policy.ts';
import { securityOfNewVault, type VaultSecurity } from './vault-security.ts';

const now = Temporal.Instant.from('2026-01-01T00:00:00Z');
const days = (count: number) => now.add({ hours: 24 * count });
const vm = { name: 'web', region: 'west', disks: ['vda', 'vdb'] };
const immutable: VaultSecurity = { ...securityOfNewVault, immutability: 'Unlocked' };
const locked: VaultSecurity = { ...securityOfNewVault, immutability: 'Locked' };
const crashConsistent: BackupPolicy = { ...enhancedPolicy, snapshotConsistencyType: 'OnlyCrashConsistent' };

const item = (changes: Partial<ItemFacts> = {}): ItemFacts => ({
  name: 'web',
  state: 'Protected',
  policy: defaultPolicy,
  vm,
  hasVaultPoint: true,
  points: 3,
  lastExpiry: days(30),
  purgeAt: changes.state === 'SoftDeleted' ? days(0) : undefined,
  running: [],
  ...changes,
});

const actions: Record<ItemActionKind, ItemAction> = {
  changePolicy: { kind: 'changePolicy', policy: defaultPolicy },
  excludeDisks: { kind: 'excludeDisks', disks: ['vdb'] },
  backupNow: { kind: 'backupNow' },
  stopAndKeep: { kind: 'stopAndKeep' },
  suspend: { kind: 'suspend' },
  resume: { kind: 'resume', policy: defaultPolicy },
  stopAndDelete: { kind: 'stopAndDelete', typedName: 'web' },
  undelete: { kind: 'undelete' },
  purge: { kind: 'purge' },
};

/** Where an action leads, or the codes of what speaks against it. */
function outcome(facts: ItemFacts, action: ItemAction, security = securityOfNewVault): string | string[] {
  const judgement = judgeItemAction(facts, action, security, now);
  return judgement.allowed ? judgement.next : judgement.refusals.map(({ code }) => code);
}

/** The end of what is said against an action on a soft-deleted item, and the beginning of what to do instead. */
function advice(facts: Partial<ItemFacts>, action: ItemAction): string {
  const judgement = judgeItemAction(
    item({ state: 'SoftDeleted', ...facts }),
    action,
    securityOfNewVault,
    now,
  );
  if (judgement.allowed) throw new Error('it was allowed');
  const [refusal] = judgement.refusals;
  return `${refusal.message.split(' kept ').at(-1)} ${refusal.action?.split(/[:;]/)[0]}`;
}

const notActive = ['UserErrorProtectionNotActive'];
const notPresent = ['UserErrorBcmDatasourceNotPresent'];
const active = ['UserErrorProtectionActive'];
const deleted = ['UserErrorItemSoftDeleted'];
const notDeleted = ['UserErrorItemNotSoftDeleted'];
const immutableOnly = ['UserErrorOperationDeniedOnImmutableItem'];

describe('where actions lead', () => {
  it.each<[ItemActionKind, Record<ItemState, string | string[]>]>([
    [
      'changePolicy',
      {
        IRPending: 'IRPending',
        Protected: 'Protected',
        ProtectionStopped: notActive,
        BackupsSuspended: notActive,
        SoftDeleted: deleted,
      },
    ],
    [
      'excludeDisks',
      {
        IRPending: 'IRPending',
        Protected: 'Protected',
        ProtectionStopped: notActive,
        BackupsSuspended: notActive,
        SoftDeleted: deleted,
      },
    ],
    [
      'backupNow',
      {
        IRPending: 'IRPending',
        Protected: 'Protected',
        ProtectionStopped: notPresent,
        BackupsSuspended: notPresent,
        SoftDeleted: deleted,
      },
    ],
    [
      'stopAndKeep',
      {
        IRPending: 'ProtectionStopped',
        Protected: 'ProtectionStopped',
        ProtectionStopped: 'ProtectionStopped',
        BackupsSuspended: 'ProtectionStopped',
        SoftDeleted: deleted,
      },
    ],
    [
      'suspend',
      {
        IRPending: immutableOnly,
        Protected: immutableOnly,
        ProtectionStopped: notActive,
        BackupsSuspended: immutableOnly,
        SoftDeleted: deleted,
      },
    ],
    [
      'resume',
      {
        IRPending: active,
        Protected: active,
        ProtectionStopped: 'Protected',
        BackupsSuspended: 'Protected',
        SoftDeleted: deleted,
      },
    ],
    [
      'stopAndDelete',
      {
        IRPending: 'SoftDeleted',
        Protected: 'SoftDeleted',
        ProtectionStopped: 'SoftDeleted',
        BackupsSuspended: 'SoftDeleted',
        SoftDeleted: deleted,
      },
    ],
    [
      'undelete',
      {
        IRPending: notDeleted,
        Protected: notDeleted,
        ProtectionStopped: notDeleted,
        BackupsSuspended: notDeleted,
        SoftDeleted: 'ProtectionStopped',
      },
    ],
    [
      'purge',
      {
        IRPending: notDeleted,
        Protected: notDeleted,
        ProtectionStopped: notDeleted,
        BackupsSuspended: notDeleted,
        SoftDeleted: 'Gone',
      },
    ],
  ])('%s', (kind, expected) => {
    for (const state of itemStates)
      expect([state, outcome(item({ state }), actions[kind])]).toEqual([state, expected[state]]);
  });

  it('resumes to waiting for the first backup where there is none in the vault', () => {
    expect(outcome(item({ state: 'ProtectionStopped', hasVaultPoint: false }), actions.resume)).toBe(
      'IRPending',
    );
  });

  it('goes from the first backup on as protected, and from no other state', () => {
    expect(itemStates.map(stateAfterBackup)).toEqual([
      'Protected',
      'Protected',
      'ProtectionStopped',
      'BackupsSuspended',
      'SoftDeleted',
    ]);
  });

  it('lets points expire by the policy only while protection lasts or is suspended', () => {
    expect(itemStates.map(retentionOf)).toEqual([
      'policy',
      'policy',
      'nothing',
      'policy at suspension',
      'nothing',
    ]);
  });
});

describe('policies', () => {
  const change = (policy: BackupPolicy): ItemAction => ({ kind: 'changePolicy', policy });
  const enhanced = item({ policy: enhancedPolicy });

  it('lead from Standard to Enhanced, and never back, not by resuming either', () => {
    expect(outcome(item(), change(enhancedPolicy))).toBe('Protected');
    expect(outcome(enhanced, change(defaultPolicy))).toEqual(['UserErrorPolicyTypeChangeNotAllowed']);
    const stopped = item({ policy: enhancedPolicy, state: 'ProtectionStopped' });
    expect(outcome(stopped, actions.resume)).toEqual(['UserErrorPolicyTypeChangeNotAllowed']);
    expect(outcome(stopped, { kind: 'resume', policy: enhancedPolicy })).toBe('Protected');
  });

  it('lead to Enhanced only while no job runs on the item', () => {
    expect(outcome(item({ running: ['Backup'] }), change(enhancedPolicy))).toEqual([
      'BMSUserErrorConflictingProtectionOperation',
    ]);
    expect(outcome(item({ running: ['Backup'] }), change(defaultPolicy))).toBe('Protected');
  });

  it('must fit the VM: its zone, and what it supports', () => {
    const zoned = item({ vm: { ...vm, zone: 'z1' } });
    expect(outcome(zoned, change(defaultPolicy))).toEqual(['UserErrorExtendedZoneNeedsEnhancedPolicy']);
    expect(outcome(zoned, change(enhancedPolicy))).toBe('Protected');
    const shared = item({ vm: { ...vm, crashConsistentObstacle: 'disk vdb is shared' } });
    expect(outcome(shared, change(crashConsistent))).toEqual([
      'UserErrorVmNotSupportedForCrashConsistentBackup',
    ]);
    expect(outcome(item(), change(crashConsistent))).toBe('Protected');
  });

  it('may not keep points for less in an immutable vault, also not by way of stopping', () => {
    const shorter: BackupPolicy = { ...defaultPolicy, name: 'Short', retention: { daily: { count: 29 } } };
    const longer: BackupPolicy = { ...defaultPolicy, retention: { daily: { count: 31 } } };
    for (const security of [immutable, locked]) {
      expect(outcome(item(), change(shorter), security)).toEqual(['UserErrorOperationDeniedOnImmutableItem']);
      expect(outcome(item(), change(longer), security)).toBe('Protected');
      const stopped = item({ state: 'ProtectionStopped' });
      expect(outcome(stopped, { kind: 'resume', policy: shorter }, security)).toEqual([
        'UserErrorOperationDeniedOnImmutableItem',
      ]);
    }
    expect(outcome(item(), change(shorter))).toBe('Protected');
  });
});

describe('backing up now', () => {
  const until = (moment: Temporal.Instant): ItemAction => ({ kind: 'backupNow', retainUntil: moment });
  it('takes a date in the future, up to 99 years', () => {
    expect(outcome(item(), until(now))).toEqual(['InvalidInput']);
    expect(outcome(item(), until(now.add({ nanoseconds: 1 })))).toBe('Protected');
    expect(outcome(item(), until(Temporal.Instant.from('2125-01-01T00:00:00Z')))).toBe('Protected');
    expect(outcome(item(), until(Temporal.Instant.from('2125-01-01T00:00:01Z')))).toEqual(['InvalidInput']);
  });
});

describe('suspending', () => {
  it('is there in immutable vaults', () => {
    for (const security of [immutable, locked])
      expect(outcome(item(), actions.suspend, security)).toBe('BackupsSuspended');
    expect(outcome(item({ state: 'ProtectionStopped' }), actions.suspend, immutable)).toEqual(notActive);
  });
});

describe('deleting', () => {
  it('wants the name typed back', () => {
    expect(outcome(item(), { kind: 'stopAndDelete', typedName: 'wep' })).toEqual(['InvalidInput']);
    expect(outcome(item(), { kind: 'stopAndDelete', typedName: 'WEB' })).toBe('SoftDeleted');
  });

  it('keeps the data for the days that are set at the time', () => {
    for (const count of [14, 180]) {
      const security = { ...securityOfNewVault, softDelete: { state: 'Enabled', days: count } } as const;
      expect(judgeItemAction(item(), actions.stopAndDelete, security, now)).toEqual({
        allowed: true,
        next: 'SoftDeleted',
        purgeAt: days(count),
      });
    }
  });

  it('is purged when that is over, not a moment before', () => {
    const waiting = (purgeAt: Temporal.Instant) =>
      outcome(item({ state: 'SoftDeleted', purgeAt }), actions.purge);
    const early = now.add({ nanoseconds: 1 });
    expect(waiting(early)).toEqual(deleted);
    expect(waiting(now)).toBe('Gone');
    expect(advice({ purgeAt: early }, actions.purge)).toBe(`until ${early}. Wait until then`);
  });

  it('tells who deletes what is deleted that nothing is left to do, and others to undelete it', () => {
    expect(advice({}, actions.stopAndDelete)).toMatch(/ Nothing is left to do$/);
    expect(advice({}, actions.backupNow)).toMatch(/ undefined$/); // the code's own: undelete the item first
  });

  it('is refused in an immutable vault until the last point has expired', () => {
    for (const security of [immutable, locked]) {
      expect(
        outcome(item({ lastExpiry: now.add({ nanoseconds: 1 }) }), actions.stopAndDelete, security),
      ).toEqual(immutableOnly);
      expect(outcome(item({ lastExpiry: now }), actions.stopAndDelete, security)).toBe('SoftDeleted');
    }
  });

  it('leaves nothing of an item without any point', () => {
    expect(
      outcome(
        item({ state: 'IRPending', points: 0, hasVaultPoint: false, lastExpiry: undefined }),
        actions.stopAndDelete,
      ),
    ).toBe('Gone');
  });
});

it('leaves out disks the VM has, and not all of them', () => {
  const exclude = (...disks: string[]) => outcome(item(), { kind: 'excludeDisks', disks });
  expect([exclude(), exclude('vda'), exclude('vda', 'vdb'), exclude('vdc')]).toEqual([
    'Protected',
    'Protected',
    ['InvalidInput'],
    ['InvalidInput'],
  ]);
});

it('needs the VM for what is done to it, and not for what is done to its data', () => {
  const gone = (kind: ItemActionKind, state: ItemState = 'Protected') =>
    outcome(item({ state, vm: undefined }), actions[kind]);
  const noVm = ['UserErrorVmNotFoundV2'];
  expect([gone('changePolicy'), gone('backupNow'), gone('resume', 'ProtectionStopped')]).toEqual([
    noVm,
    noVm,
    noVm,
  ]);
  expect(gone('excludeDisks')).toContain('UserErrorVmNotFoundV2');
  expect([gone('stopAndKeep'), gone('stopAndDelete'), gone('undelete', 'SoftDeleted')]).toEqual([
    'ProtectionStopped',
    'SoftDeleted',
    'ProtectionStopped',
  ]);
});

it('makes one change at a time', () => {
  const busy = item({ running: ['ConfigureBackup'] });
  const conflict = ['BMSUserErrorConflictingProtectionOperation'];
  expect([outcome(busy, actions.stopAndKeep), outcome(busy, actions.stopAndDelete)]).toEqual([
    conflict,
    conflict,
  ]);
  expect(outcome(busy, actions.backupNow)).toBe('Protected');
});

it('names every reason at once', () => {
  const judgement = judgeItemAction(
    item({ policy: enhancedPolicy, vm: undefined, running: ['ConfigureBackup'] }),
    { kind: 'changePolicy', policy: { ...defaultPolicy, retention: { daily: { count: 7 } } } },
    immutable,
    now,
  );
  if (judgement.allowed) throw new Error('it was allowed');
  expect(judgement.refusals.map(({ code }) => code)).toEqual([
    'BMSUserErrorConflictingProtectionOperation',
    'UserErrorVmNotFoundV2',
    'UserErrorPolicyTypeChangeNotAllowed',
    'UserErrorOperationDeniedOnImmutableItem',
  ]);
  const error = refusalError(judgement.refusals, 'web');
  expect(error).toMatchObject({ code: 'BMSUserErrorConflictingProtectionOperation', target: 'web' });
  for (const { message } of judgement.refusals) expect(error.message).toContain(message);
});

it('over any life: points are only lost by a purge after its time, and there is no way back from Enhanced', () => {
  const policies = [defaultPolicy, enhancedPolicy, crashConsistent];
  const anyAction: fc.Arbitrary<ItemAction> = fc.oneof(
    fc.constantFrom(...Object.values(actions)),
    fc.constantFrom(...policies).map((policy) => ({ kind: 'changePolicy' as const, policy })),
    fc.constantFrom(...policies).map((policy) => ({ kind: 'resume' as const, policy })),
  );
  const step = fc.record({
    action: anyAction,
    hours: fc.integer({ min: 0, max: 24 * 30 }),
    vmThere: fc.boolean(),
    backup: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(securityOfNewVault, immutable, locked),
      (life, security) => {
        let facts = item({ state: 'IRPending', hasVaultPoint: false, points: 0, lastExpiry: undefined });
        let moment = now;
        let deletedAt: Temporal.Instant | undefined;
        for (const { action, hours, vmThere, backup } of life) {
          moment = moment.add({ hours });
          facts = { ...facts, vm: vmThere ? vm : undefined };
          if (backup && vmThere && retentionOf(facts.state) === 'policy')
            facts = {
              ...facts,
              state: stateAfterBackup(facts.state),
              hasVaultPoint: true,
              points: facts.points + 1,
              lastExpiry: moment.add({ hours: 720 }),
            };
          const judgement = judgeItemAction(facts, action, security, moment);
          if (!judgement.allowed) {
            expect(judgement.refusals.every(({ message }) => /^.+\.$/.test(message))).toBe(true);
            continue;
          }
          if (judgement.next === 'Gone') {
            if (facts.points > 0)
              expect(deletedAt?.until(moment).total('hours')).toBeGreaterThanOrEqual(14 * 24);
            break;
          }
          if (judgement.next === 'SoftDeleted') {
            if (security !== securityOfNewVault && facts.lastExpiry !== undefined)
              expect(Temporal.Instant.compare(moment, facts.lastExpiry)).toBeGreaterThanOrEqual(0);
            deletedAt = moment;
          }
          const policy = 'policy' in action ? action.policy : facts.policy;
          if (facts.policy?.policyType === 'V2') expect(policy?.policyType).toBe('V2');
          // Out of soft delete leads only undeleting, and that to stopped protection.
          if (facts.state === 'SoftDeleted')
            expect([action.kind, judgement.next]).toEqual(['undelete', 'ProtectionStopped']);
          facts = { ...facts, state: judgement.next, policy, purgeAt: judgement.purgeAt };
        }
      },
    ),
  );
});
