import { saveUpkeep, type VaultRow } from '../catalog/index.ts';
import type { Store } from '../store/index.ts';
import { pointsInVault } from './missing-points.ts';
import type { Workshop } from './workshop.ts';

export async function noteCollected(workshop: Workshop, vaultId: string): Promise<void> {
  const collectedAt = workshop.clock.now().toString({ fractionalSecondDigits: 3 });
  await saveUpkeep(workshop.db, vaultId, { collected_at: collectedAt });
}

/**
 * Whether the catalog, which is told of every expiry, agrees with the store on what is left. Then even a great loss of
 * points since the last collection (a service that was off for a month) is no sign of a listing gone wrong.
 */
export async function isListingRight(workshop: Workshop, vault: VaultRow, store: Store): Promise<boolean> {
  const { points, damaged } = await store.listPoints();
  const listed = new Set(points.map((point) => point.pointId));
  const expected = await pointsInVault(workshop.db, vault.vault_id);
  return (
    damaged.length === 0 && expected.length > 0 && expected.every(({ point_id }) => listed.has(point_id))
  );
}
