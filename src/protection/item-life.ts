import { type Judgement, judge, type Refusal } from './judgement.ts';
import type { BackupPolicy } from './policy.ts';
import { refusePolicy, type VmFacts } from './policy-fit.ts';
import { latestRetainUntil } from './policy-limits.ts';
import { isImmutable, refuseReductions, refuseRemoval, type VaultSecurity } from './vault-security.ts';

/**
 * The states of a protected item. Azure shows a soft-deleted item as `ProtectionStopped` with a flag; for the rules it
 * is a state of its own.
 */
export const itemStates = [
  'IRPending',
  'Protected',
  'ProtectionStopped',
  'BackupsSuspended',
  'SoftDeleted',
] as const;
export type ItemState = (typeof itemStates)[number];

/** What the rules need to know of an item. */
export interface ItemFacts {
  /** Its VM's name, which is typed back to delete its data. */
  name: string;
  state: ItemState;
  /** The policy in force; of an item whose protection is stopped, the last it had. */
  policy: BackupPolicy | undefined;
  /** Its VM, while there is one. */
  vm: VmFacts | undefined;
  hasVaultPoint: boolean;
  /** How many recovery points there are, in any tier. */
  points: number;
  /** When the last of its points in the vault expires. */
  lastExpiry: Temporal.Instant | undefined;
  /** Of a soft-deleted item. */
  purgeAt: Temporal.Instant | undefined;
  /** Operations that are running on it. */
  running: readonly ('ConfigureBackup' | 'Backup' | 'Restore')[];
}

export type ItemAction =
  | { kind: 'changePolicy'; policy: BackupPolicy }
  | { kind: 'excludeDisks'; disks: readonly string[] }
  | { kind: 'backupNow'; retainUntil?: Temporal.Instant }
  | { kind: 'stopAndKeep' }
  | { kind: 'suspend' }
  | { kind: 'resume'; policy: BackupPolicy }
  | { kind: 'stopAndDelete'; typedName: string }
  | { kind: 'undelete' }
  | { kind: 'purge' };
export type ItemActionKind = ItemAction['kind'];

export interface ItemOutcome {
  /** `Gone`: the item is no more. */
  next: ItemState | 'Gone';
  /** When the data will be purged, of an item that is soft-deleted now. */
  purgeAt?: Temporal.Instant;
}

/** Where each action leads from each state; what is missing is refused in that state, whatever else is so. */
const ways: Record<ItemActionKind, Partial<Record<ItemState, ItemState | 'Active' | 'Gone'>>> = {
  changePolicy: { IRPending: 'IRPending', Protected: 'Protected' },
  excludeDisks: { IRPending: 'IRPending', Protected: 'Protected' },
  backupNow: { IRPending: 'IRPending', Protected: 'Protected' },
  stopAndKeep: {
    IRPending: 'ProtectionStopped',
    Protected: 'ProtectionStopped',
    BackupsSuspended: 'ProtectionStopped',
    ProtectionStopped: 'ProtectionStopped',
  },
  suspend: {
    IRPending: 'BackupsSuspended',
    Protected: 'BackupsSuspended',
    BackupsSuspended: 'BackupsSuspended',
  },
  resume: { ProtectionStopped: 'Active', BackupsSuspended: 'Active' },
  stopAndDelete: {
    IRPending: 'SoftDeleted',
    Protected: 'SoftDeleted',
    ProtectionStopped: 'SoftDeleted',
    BackupsSuspended: 'SoftDeleted',
  },
  undelete: { SoftDeleted: 'ProtectionStopped' },
  purge: { SoftDeleted: 'Gone' },
};

const resumeFirst = 'Resume protection first, with any policy.';

/** In the words of the portal. */
const stateWords: Record<ItemState, string> = {
  IRPending: 'is protected and waits for its first backup',
  Protected: 'is protected',
  ProtectionStopped: 'has its protection stopped',
  BackupsSuspended: 'has its backups suspended',
  SoftDeleted: 'is soft-deleted',
};

/** Whether an action may be taken on an item, where it leads, and every reason against it. */
export function judgeItemAction(
  item: ItemFacts,
  action: ItemAction,
  security: VaultSecurity,
  now: Temporal.Instant,
): Judgement<ItemOutcome> {
  const way = ways[action.kind][item.state];
  if (way === undefined) return judge([refuseState(item, action.kind)], { next: item.state });
  const next = way === 'Active' ? activeState(item) : way;
  const refusals = [refuseConflict(item, action.kind), ...reasonsAgainst(item, action, security, now)];
  if (action.kind !== 'stopAndDelete') return judge(refusals, { next });
  // Without a single recovery point there is nothing that could be wanted back.
  if (item.points === 0) return judge(refusals, { next: 'Gone' });
  const purgeAt = now.add({ hours: 24 * security.softDelete.days });
  return judge(refusals, { next, purgeAt });
}

/** The state of an item that backups are made of. */
export function activeState({ hasVaultPoint }: Pick<ItemFacts, 'hasVaultPoint'>): 'IRPending' | 'Protected' {
  return hasVaultPoint ? 'Protected' : 'IRPending';
}

/** The state after a backup has brought a point to the vault. One that ran while protection was stopped changes nothing. */
export function stateAfterBackup(state: ItemState): ItemState {
  return state === 'IRPending' ? 'Protected' : state;
}

/**
 * What removes points of an item: the policy in force, the policy as it was when backups were suspended, or nothing.
 * Whether its VM exists makes no difference; the last points stay in any case.
 */
export function retentionOf(state: ItemState): 'policy' | 'policy at suspension' | 'nothing' {
  if (state === 'BackupsSuspended') return 'policy at suspension';
  return state === 'IRPending' || state === 'Protected' ? 'policy' : 'nothing';
}

function refuseState(item: ItemFacts, kind: ItemActionKind): Refusal {
  const message = `'${item.name}' ${stateWords[item.state]}.`;
  if (item.state === 'SoftDeleted')
    return kind === 'stopAndDelete'
      ? {
          code: 'UserErrorItemSoftDeleted',
          message,
          action: 'Nothing is left to do: its data is purged when its time is over.',
        }
      : { code: 'UserErrorItemSoftDeleted', message };
  if (kind === 'undelete' || kind === 'purge') return { code: 'UserErrorItemNotSoftDeleted', message };
  if (kind === 'resume') return { code: 'UserErrorProtectionActive', message };
  if (kind === 'suspend')
    return {
      code: 'UserErrorProtectionNotActive',
      message: `${message} Its points are kept until protection is resumed; suspending would let them expire.`,
      action: resumeFirst,
    };
  // Azure's own word for the one of them it has.
  const code = kind === 'backupNow' ? 'UserErrorBcmDatasourceNotPresent' : 'UserErrorProtectionNotActive';
  return { code, message, action: resumeFirst };
}

/** One change of an item at a time. A backup or a restore stands in nobody's way: it ends, or finds what it needs. */
function refuseConflict(item: ItemFacts, kind: ItemActionKind): Refusal | undefined {
  if (kind === 'backupNow' || !item.running.includes('ConfigureBackup')) return undefined;
  return {
    code: 'BMSUserErrorConflictingProtectionOperation',
    message: `The protection of '${item.name}' is being configured.`,
  };
}

function reasonsAgainst(
  item: ItemFacts,
  action: ItemAction,
  security: VaultSecurity,
  now: Temporal.Instant,
): (Refusal | undefined)[] {
  switch (action.kind) {
    case 'changePolicy':
    case 'resume':
      return [
        refuseWithoutVm(item),
        ...(item.vm === undefined ? [] : refusePolicy(item.vm, action.policy)),
        ...refuseTypeChange(item, action.policy),
        refuseReductions(security, item.policy, action.policy),
      ];
    case 'excludeDisks':
      return [refuseWithoutVm(item), ...refuseExclusion(item, action.disks)];
    case 'backupNow':
      return [refuseWithoutVm(item), refuseRetainUntil(action.retainUntil, now)];
    case 'suspend':
      return [isImmutable(security) ? undefined : refuseSuspension(item)];
    case 'stopAndDelete':
      return [
        refuseTypedName(item, action.typedName),
        refuseRemoval(security, `a recovery point of '${item.name}'`, item.lastExpiry, now),
      ];
    case 'purge':
      return [refuseEarlyPurge(item, now)];
    case 'stopAndKeep':
    case 'undelete':
      return [];
  }
}

function refuseWithoutVm(item: ItemFacts): Refusal | undefined {
  if (item.vm !== undefined) return undefined;
  return { code: 'UserErrorVmNotFoundV2', message: `The VM of '${item.name}' is gone.` };
}

/** Standard to Enhanced, and never back: hourly points and their snapshots have no place in a Standard policy. */
function refuseTypeChange(item: ItemFacts, policy: BackupPolicy): (Refusal | undefined)[] {
  if (item.policy === undefined || item.policy.policyType === policy.policyType) return [];
  if (policy.policyType === 'V1')
    return [
      {
        code: 'UserErrorPolicyTypeChangeNotAllowed',
        message: `'${item.name}' is under Enhanced policy '${item.policy.name}', and '${policy.name}' is a Standard one; there is no way back.`,
      },
    ];
  const running = item.running.filter((operation) => operation !== 'ConfigureBackup');
  if (running.length === 0) return [];
  return [
    {
      code: 'BMSUserErrorConflictingProtectionOperation',
      message: `'${item.name}' can't go over to an Enhanced policy while ${running.join(' and ')} runs.`,
    },
  ];
}

function refuseExclusion(item: ItemFacts, disks: readonly string[]): Refusal[] {
  const existing = item.vm?.disks ?? [];
  const unknown = disks.filter((disk) => !existing.includes(disk));
  const has = `it has ${existing.join(', ')}`;
  if (unknown.length > 0)
    return [
      {
        code: 'InvalidInput',
        message: `'${item.name}' has no disk ${unknown.join(', ')} to leave out; ${has}.`,
      },
    ];
  if (existing.every((disk) => disks.includes(disk)))
    return [{ code: 'InvalidInput', message: `'${item.name}' would have no disk left to back up; ${has}.` }];
  return [];
}

function refuseRetainUntil(until: Temporal.Instant | undefined, now: Temporal.Instant): Refusal | undefined {
  if (until === undefined) return undefined;
  const latest = latestRetainUntil(now);
  if (Temporal.Instant.compare(until, now) > 0 && Temporal.Instant.compare(until, latest) <= 0)
    return undefined;
  return {
    code: 'InvalidInput',
    message: `A recovery point can't be retained until ${until}: the date must be after ${now} and not after ${latest}.`,
  };
}

function refuseSuspension(item: ItemFacts): Refusal {
  return {
    code: 'UserErrorOperationDeniedOnImmutableItem',
    message: `The vault of '${item.name}' is not immutable, and only in immutable vaults backups can be suspended while points expire as their policy says.`,
    action: 'Stop protection and keep the data instead, or make the vault immutable first.',
  };
}

function refuseTypedName(item: ItemFacts, typed: string): Refusal | undefined {
  if (typed.toLowerCase() === item.name.toLowerCase()) return undefined;
  return {
    code: 'InvalidInput',
    message: `Deleting the backup data of '${item.name}' takes its name typed back, which '${typed}' is not.`,
  };
}

function refuseEarlyPurge(item: ItemFacts, now: Temporal.Instant): Refusal | undefined {
  if (item.purgeAt !== undefined && Temporal.Instant.compare(now, item.purgeAt) >= 0) return undefined;
  return {
    code: 'UserErrorItemSoftDeleted',
    message: `'${item.name}' is soft-deleted and is kept until ${item.purgeAt ?? 'a date that is not known'}.`,
    action: 'Wait until then; nobody can purge it earlier.',
  };
}
