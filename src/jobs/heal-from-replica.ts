import { findReplica, type VaultRow } from '../catalog/index.ts';
import { messageOf } from '../errors/index.ts';
import { healPoint, type PointDamage, type Store } from '../store/index.ts';
import type { Workshop } from './workshop.ts';

export interface Healing {
  healedChunks: number;
  healedPoints: number;
  /** Points that still cannot be restored in full. */
  damaged: PointDamage[];
}

/**
 * Heals damaged points of a vault's own store from the vault's replica, where there is one. What goes wrong with the
 * replica only means that a point stays damaged.
 */
export async function healFromReplica(
  workshop: Workshop,
  vault: VaultRow,
  store: Store,
  damaged: readonly PointDamage[],
  signal: AbortSignal,
): Promise<Healing> {
  const healing: Healing = { healedChunks: 0, healedPoints: 0, damaged: [...damaged] };
  const row = damaged.length === 0 ? undefined : await findReplica(workshop.db, vault.vault_id);
  if (row === undefined) return healing;
  healing.damaged = [];
  for (const point of damaged) {
    signal.throwIfAborted();
    try {
      const replica = await workshop.estate.replica(row);
      const healed = await healPoint(store, replica, point, { signal });
      healing.healedChunks += healed?.healedChunks ?? 0;
      if (healed?.lostBytes === 0) healing.healedPoints++;
      else healing.damaged.push(point);
    } catch (error) {
      signal.throwIfAborted();
      workshop.log.warn(
        { vault: vault.name, pointId: point.pointId, err: error },
        `not healed from the replica: ${messageOf(error)}`,
      );
      healing.damaged.push(point);
    }
  }
  if (healing.healedPoints > 0)
    workshop.log.info(
      { vault: vault.name, points: healing.healedPoints, chunks: healing.healedChunks },
      "damage in the vault's own store was healed from the replica",
    );
  return healing;
}

/** What a job shows of it. */
export function healedProperties({ healedPoints, healedChunks }: Healing): Record<string, string> {
  if (healedPoints === 0) return {};
  return { 'Healed from replica': `${healedPoints} recovery point(s), ${healedChunks} chunk(s)` };
}
