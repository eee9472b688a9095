import type { ItemRow, VaultRow } from '../../catalog/index.ts';

/**
 * What an estate of a few VMs and two vaults may look like, in the fewest words: no jobs, no stores, no hosts. What is
 * shown after a step has to be what `next` says.
 */
export const vmNames = ['web', 'db', 'app'] as const;
export type VmName = (typeof vmNames)[number];
export const vaultIds = ['v1', 'v2'] as const;
export type VaultId = (typeof vaultIds)[number];

export const policyTypes = { DefaultPolicy: 'V1', Longer: 'V1', EnhancedPolicy: 'V2' } as const;
export type PolicyName = keyof typeof policyTypes;
/** Days that the policies keep in the beginning. */
export const firstDays: Record<PolicyName, number> = { DefaultPolicy: 30, Longer: 60, EnhancedPolicy: 30 };

type Immutability = VaultRow['immutability'];
export const fates = ['well', 'hostFails', 'storeFails', 'hostHiccups', 'cancelled'] as const;
interface OfItem {
  vault: VaultId;
  vm: VmName;
}

export type Change =
  | (OfItem & { do: 'configure'; policy: PolicyName })
  | (OfItem & { do: 'stop' | 'suspend' | 'undelete' | 'purge' })
  | (OfItem & { do: 'delete'; typed: 'right' | 'wrong' })
  | (OfItem & { do: 'backUp'; fate: (typeof fates)[number] })
  /** Of the item's points, the `pick`-th from the newest. */
  | (OfItem & { do: 'deletePoint' | 'undeletePoint'; pick: number })
  | (OfItem & { do: 'extendPoint'; pick: number; days: number })
  | (OfItem & { do: 'restore'; pick: number; from: 'anywhere' | 'vault' | 'replica' })
  | { do: 'secure'; vault: VaultId; immutability: Immutability }
  | { do: 'editPolicy'; vault: VaultId; policy: PolicyName; days: number }
  | { do: 'replicate' }
  /** Time goes by; with `jump`, nobody looks meanwhile. */
  | { do: 'pass' | 'jump'; hours: number };

export type Step =
  | Change
  | { do: 'vanish' | 'return'; vm: VmName }
  | { do: 'restart' }
  /** The service dies as it writes to the catalog for the `at`-th time. */
  | { do: 'die'; at: number; during: Change };

export type ItemState = ItemRow['state'];

export interface ItemModel {
  state: ItemState;
  policy: PolicyName;
  /** What its policy kept when the item was last put under it. */
  days: number;
  /** UUID of the VM that it is about; one of its name may have come since. */
  vm: string;
  purgeAt?: Temporal.Instant;
}

export interface EstateModel {
  vaults: Record<VaultId, { immutability: Immutability; days: Record<PolicyName, number> }>;
  /** UUIDs of the VMs that are there. */
  vms: Partial<Record<VmName, string>>;
  items: Partial<Record<`${VaultId}/${VmName}`, ItemModel>>;
}

/** What happened, for who wants to know that enough did: `configure`, `configure refused`, `die in pass`, `point expired`. */
export type Tally = Map<string, number>;

/** What the catalog has of an item's points, as far as a rule asks for it. */
export interface PointFacts {
  expiresAt: Temporal.Instant;
  inVault: boolean;
  inReplica: boolean;
  softDeletedUntil: Temporal.Instant | undefined;
  deletedByPerson: boolean;
}

export const isActive = (state: ItemState | undefined) => state === 'IRPending' || state === 'Protected';
const isOver = (at: Temporal.Instant | undefined, now: Temporal.Instant) =>
  at !== undefined && Temporal.Instant.compare(at, now) <= 0;

/**
 * The estate after a step; undefined: the step is refused.
 * @param points those of the item that the step is about, newest first
 */
export function next(
  model: EstateModel,
  step: Exclude<Step, { do: 'die' }>,
  points: readonly PointFacts[],
  now: Temporal.Instant,
): EstateModel | undefined {
  switch (step.do) {
    case 'vanish':
      return { ...model, vms: { ...model.vms, [step.vm]: undefined } };
    case 'secure':
      return secured(model, step.vault, step.immutability);
    case 'editPolicy':
      return edited(model, step.vault, step.policy, step.days);
    case 'return':
    case 'replicate':
    case 'pass':
    case 'jump':
    case 'restart':
      return model;
  }
  const item = model.items[`${step.vault}/${step.vm}`];
  const become = (changed: ItemModel | undefined): EstateModel => ({
    ...model,
    items: { ...model.items, [`${step.vault}/${step.vm}`]: changed },
  });
  if (step.do === 'configure') {
    const changed = configured(model, step, item, points);
    return changed && become(changed);
  }
  if (item === undefined) return undefined;
  const isImmutable = model.vaults[step.vault].immutability !== 'Disabled';
  const isDeleted = item.state === 'SoftDeleted';
  switch (step.do) {
    case 'stop':
      return isDeleted ? undefined : become({ ...item, state: 'ProtectionStopped' });
    case 'suspend':
      return isImmutable && (isActive(item.state) || item.state === 'BackupsSuspended')
        ? become({ ...item, state: 'BackupsSuspended' })
        : undefined;
    case 'delete': {
      const isHeld = points.some((point) => point.inVault && !isOver(point.expiresAt, now));
      if (isDeleted || step.typed === 'wrong' || (isImmutable && isHeld)) return undefined;
      if (points.length === 0) return become(undefined);
      return become({ ...item, state: 'SoftDeleted', purgeAt: now.add({ hours: 14 * 24 }) });
    }
    case 'undelete':
      return isDeleted ? become({ ...item, state: 'ProtectionStopped' }) : undefined;
    case 'purge':
      return isDeleted && isOver(item.purgeAt, now) ? become(undefined) : undefined;
    case 'backUp': {
      if (!isActive(item.state)) return undefined;
      const succeeds = step.fate === 'well' && model.vms[step.vm] === item.vm;
      return become({ ...item, state: succeeds ? 'Protected' : item.state });
    }
  }
  const point = points[step.pick];
  if (point === undefined) return undefined;
  switch (step.do) {
    case 'extendPoint': {
      const until = now.add({ hours: 24 * step.days });
      return point.deletedByPerson || Temporal.Instant.compare(until, point.expiresAt) < 0
        ? undefined
        : model;
    }
    case 'deletePoint': {
      const others = points.filter((other) => other !== point && other.softDeletedUntil === undefined);
      const isLast = others.length === 0 || (point.inVault && !others.some((other) => other.inVault));
      const isHeld = isImmutable && point.inVault && !isOver(point.expiresAt, now);
      return point.deletedByPerson || isLast || isHeld ? undefined : model;
    }
    case 'undeletePoint':
      return point.deletedByPerson ? model : undefined;
    case 'restore': {
      const isThere = { anywhere: true, vault: point.inVault, replica: point.inReplica }[step.from];
      return isDeleted || point.softDeletedUntil !== undefined || !isThere ? undefined : model;
    }
  }
}

function configured(
  { vms, vaults, items }: EstateModel,
  { vault, vm, policy }: Extract<Change, { do: 'configure' }>,
  item: ItemModel | undefined,
  points: readonly PointFacts[],
): ItemModel | undefined {
  const uuid = vms[vm];
  const rival = items[`${vault === 'v1' ? 'v2' : 'v1'}/${vm}`];
  if (uuid === undefined || item?.state === 'SoftDeleted') return undefined;
  if (rival?.vm === uuid && rival.state !== 'SoftDeleted') return undefined;
  const { immutability, days } = vaults[vault];
  if (item !== undefined) {
    if (policyTypes[item.policy] === 'V2' && policyTypes[policy] === 'V1') return undefined;
    if (immutability !== 'Disabled' && days[policy] < item.days) return undefined;
  }
  const state = points.some((point) => point.inVault) ? 'Protected' : 'IRPending';
  return { state, policy, days: days[policy], vm: uuid };
}

function secured(model: EstateModel, vault: VaultId, wanted: Immutability): EstateModel | undefined {
  const { immutability: had } = model.vaults[vault];
  if (wanted !== had && (had === 'Locked' || (wanted === 'Locked' && had === 'Disabled'))) return undefined;
  return {
    ...model,
    vaults: { ...model.vaults, [vault]: { ...model.vaults[vault], immutability: wanted } },
  };
}

/** Items follow, unless nothing backs them up, or their VM is gone. */
function edited(model: EstateModel, vault: VaultId, policy: PolicyName, days: number) {
  const { immutability, days: had } = model.vaults[vault];
  if (immutability !== 'Disabled' && days < had[policy]) return undefined;
  const items = { ...model.items };
  for (const vm of vmNames) {
    const item = items[`${vault}/${vm}`];
    if (item?.policy === policy && isActive(item.state) && model.vms[vm] === item.vm)
      items[`${vault}/${vm}`] = { ...item, days };
  }
  const changed = { immutability, days: { ...had, [policy]: days } };
  return { ...model, items, vaults: { ...model.vaults, [vault]: changed } };
}
