import {
  type Database,
  inVault,
  listItems,
  listPoints,
  type PointRow,
  type VaultRow,
} from '../catalog/index.ts';
import { isHoldfastError } from '../errors/index.ts';
import type { Store } from '../store/index.ts';

/** Points that the catalog knows to be in the vault's store. */
export async function pointsInVault(db: Database, vaultId: string): Promise<PointRow[]> {
  const found: PointRow[] = [];
  for (const { item_id } of await listItems(db, vaultId))
    found.push(...(await listPoints(db, item_id)).filter((row) => row.in_vault === inVault.yes));
  return found;
}

/**
 * Points that the catalog knows to be in the store, and of which the store has nothing: their records were taken away by
 * somebody else, which the store alone cannot notice. Whatever is added or expires meanwhile is left out: the catalog
 * forgets a point before the store does, and learns of one after.
 */
export async function missingPoints(
  db: Database,
  vault: VaultRow,
  store: Store,
  signal: AbortSignal,
): Promise<PointRow[]> {
  const before = await pointsInVault(db, vault.vault_id);
  const { points } = await store.listPoints();
  const listed = new Set(points.map(({ pointId }) => pointId));
  const absent: PointRow[] = [];
  for (const row of before) {
    signal.throwIfAborted();
    if (!listed.has(row.point_id) && (await isAbsent(store, row))) absent.push(row);
  }
  if (absent.length === 0) return [];
  const still = new Set((await pointsInVault(db, vault.vault_id)).map(({ point_id }) => point_id));
  return absent.filter(({ point_id }) => still.has(point_id));
}

/** A record that is there and damaged is not listed either. */
async function isAbsent(store: Store, { item_id, point_id }: PointRow): Promise<boolean> {
  try {
    await store.readPoint(item_id, point_id);
    return false;
  } catch (error) {
    return isHoldfastError(error, 'RecoveryPointNotInStore');
  }
}
