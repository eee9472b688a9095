import { type Database, type ItemRow, inVault, listPoints } from '../catalog/index.ts';
import { dutyOf, onDemandBasis, type PointBasis, scheduledBasis } from '../protection/index.ts';
import { type BackupPayload, onDemandOf } from './backup-payload.ts';
import { lastPolicyOf } from './policies.ts';

/** What becomes of a point that has just been taken. */
export interface Keeping {
  basis: PointBasis;
  /** Whether its backup goes on to transfer it; without, the point lives as a snapshot only. */
  toVault: boolean;
}

/**
 * What keeps a new point, and whether it goes to the vault: an on-demand one always does, a scheduled one when its run,
 * or one before it that went undone, owes it.
 */
export async function keepingOf(
  db: Database,
  item: ItemRow,
  payload: BackupPayload,
  takenAt: Temporal.Instant,
): Promise<Keeping> {
  const policy = lastPolicyOf(item);
  const onDemand = onDemandOf(payload);
  if (onDemand !== undefined) return { basis: onDemandBasis(policy, takenAt, onDemand.until), toVault: true };
  const inTheVault = (await listPoints(db, item.item_id)).filter((point) => point.in_vault === inVault.yes);
  const dutiesDone = [item.duties_since, ...inTheVault.flatMap(({ run_at: run }) => run ?? [])]
    .map((text) => Temporal.Instant.from(text))
    .reduce((a, b) => (Temporal.Instant.compare(a, b) < 0 ? b : a));
  const at = payload.runAt === undefined ? takenAt : Temporal.Instant.from(payload.runAt);
  const { toVault, tags } = dutyOf(policy, { at }, dutiesDone, inTheVault.length > 0);
  return { basis: scheduledBasis(policy, takenAt, tags), toVault };
}

/** What keeps a point that stays a snapshot: the instant restore period, or the date that its caller chose. */
export function snapshotOnlyBasis(
  item: ItemRow,
  payload: BackupPayload,
  takenAt: Temporal.Instant,
): PointBasis {
  const policy = lastPolicyOf(item);
  const until = onDemandOf(payload)?.until;
  return until === undefined ? scheduledBasis(policy, takenAt, []) : onDemandBasis(policy, takenAt, until);
}
