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

/** Heals damaged points of a vault's own store from the vault's replica, where there is one. */
export async function healFromReplica(
  workshop: Workshop,
  vault: VaultRow,
  store: Store,
  damaged: readonly PointDamage[],
  signal: AbortSignal,
): Promise<Healing> {
  const row = damaged.length === 0 ? undefined : await findReplica(workshop.db, vault.vault_id);
  if (row === undefined) return { healedChunks: 0, healedPoints: 0, damaged: [...damaged] };
  const source = { what: 'replica', open: () => workshop.estate.replica(row) };
  return await healPoints(workshop, vault, store, source, damaged, signal);
}

/** Heals damaged points of a vault's replica from the vault's own store. */
export async function healFromVault(
  workshop: Workshop,
  vault: VaultRow,
  replica: Store,
  damaged: readonly PointDamage[],
  signal: AbortSignal,
): Promise<Healing> {
  const source = { what: 'vault', open: () => workshop.estate.store(vault) };
  return await healPoints(workshop, vault, replica, source, damaged, signal);
}

/** What goes wrong with the source only means that a point stays damaged. */
async function healPoints(
  workshop: Workshop,
  vault: VaultRow,
  store: Store,
  source: { what: string; open: () => Promise<Store> },
  damaged: readonly PointDamage[],
  signal: AbortSignal,
): Promise<Healing> {
  const healing: Healing = { healedChunks: 0, healedPoints: 0, damaged: [] };
  for (const point of damaged) {
    signal.throwIfAborted();
    try {
      const healed = await healPoint(store, await source.open(), point, { signal });
      healing.healedChunks += healed?.healedChunks ?? 0;
      if (healed?.lostBytes === 0) healing.healedPoints++;
      else healing.damaged.push(point);
    } catch (error) {
      signal.throwIfAborted();
      workshop.log.warn(
        { vault: vault.name, pointId: point.pointId, err: error },
        `not healed from the ${source.what}: ${messageOf(error)}`,
      );
      healing.damaged.push(point);
    }
  }
  if (healing.healedPoints > 0)
    workshop.log.info(
      { vault: vault.name, points: healing.healedPoints, chunks: healing.healedChunks },
      `damage was healed from the ${source.what}`,
    );
  return healing;
}

/** What a job shows of it; `from`: the replica or the vault. */
export function healedProperties(
  { healedPoints, healedChunks }: Healing,
  from: 'replica' | 'vault',
): Record<string, string> {
  if (healedPoints === 0) return {};
  return { [`Healed from ${from}`]: `${healedPoints} recovery point(s), ${healedChunks} chunk(s)` };
}
