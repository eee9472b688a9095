import { listItems, type ReplicaRow, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { PointDamage, VerifyReport } from '../store/index.ts';
import type { Workshop } from './workshop.ts';

/** Entries of each list that are kept in the catalog and shown; what lies beyond is counted. */
const listedEntries = 50;

/** Points named in an error's sentence. */
const namedPoints = 5;

/** What a verification has found, as it is kept and shown. Sizes in bytes, times ISO 8601 UTC. */
export interface VerificationSummary {
  startedAt: string;
  endedAt: string;
  packs: number;
  storedBytes: number;
  points: number;
  referencedBytes: number;
  damagedPackCount: number;
  damagedObjectCount: number;
  damagedPointCount: number;
  damagedPacks: { pack: string; message: string }[];
  damagedObjects: { name: string; message: string }[];
  damagedPoints: DamagedPoint[];
}

/** A recovery point that cannot be restored in full. */
export interface DamagedPoint {
  /** Name of the VM; the item's id where the catalog does not know it any more. */
  vm: string;
  pointId: string;
  createdAt: string;
  disks: {
    target: string;
    gapCount: number;
    gapBytes: number;
    gaps: { offset: number; length: number }[];
    reason: string;
  }[];
}

/** Names the VMs of damaged points; the lists shortened to what a person reads. */
export async function namePoints(
  workshop: Workshop,
  vault: VaultRow,
  points: readonly PointDamage[],
): Promise<DamagedPoint[]> {
  const items = await listItems(workshop.db, vault.vault_id);
  const nameOf = new Map(items.map((item) => [item.item_id, item.vm_name]));
  return points.slice(0, listedEntries).map(({ itemId, pointId, createdAt, disks }) => ({
    vm: nameOf.get(itemId) ?? itemId,
    pointId,
    createdAt,
    disks: disks.map(({ name, gapCount, gapBytes, gaps, reason }) => ({
      target: name,
      gapCount,
      gapBytes,
      gaps: gaps.slice(0, listedEntries),
      reason,
    })),
  }));
}

export async function summaryOf(
  workshop: Workshop,
  vault: VaultRow,
  report: VerifyReport,
  { packs, storedBytes }: { packs: number; storedBytes: number },
): Promise<VerificationSummary> {
  return {
    startedAt: report.startedAt,
    endedAt: workshop.clock.now().toString({ fractionalSecondDigits: 3 }),
    packs,
    storedBytes,
    points: report.points,
    referencedBytes: report.referencedBytes,
    damagedPackCount: report.damagedPacks.length,
    damagedObjectCount: report.damagedObjects.length,
    damagedPointCount: report.damagedPoints.length,
    damagedPacks: report.damagedPacks.slice(0, listedEntries).map(({ pack, message }) => ({ pack, message })),
    damagedObjects: report.damagedObjects
      .slice(0, listedEntries)
      .map(({ name, message }) => ({ name, message })),
    damagedPoints: await namePoints(workshop, vault, report.damagedPoints),
  };
}

/** `web-1, point 4711 of 2026-11-21T06:00:00Z: vda 65536 bytes in 1 stretch (1048576+65536)`. */
export function damagedPointWords({ vm, pointId, createdAt, disks }: DamagedPoint): string {
  const parts = disks.map(({ target, gapCount, gapBytes, gaps }) => {
    const shown = gaps.slice(0, 3).map(({ offset, length }) => `${offset}+${length}`);
    const more = gapCount > shown.length ? ', …' : '';
    const stretches = gapCount === 1 ? '1 stretch' : `${gapCount} stretches`;
    return `${target} ${gapBytes} bytes in ${stretches} (${shown.join(', ')}${more})`;
  });
  return `${vm}, point ${pointId} of ${createdAt}: ${parts.join('; ')}`;
}

/** What a job is to say of points that cannot be restored in full. */
export function damagedPointsError(
  vault: VaultRow,
  points: readonly DamagedPoint[],
  count: number,
): HoldfastError {
  const named = points.slice(0, namedPoints).map(damagedPointWords);
  const more = count > named.length ? ` And ${count - named.length} more.` : '';
  const what = count === 1 ? '1 recovery point' : `${count} recovery points`;
  return new HoldfastError(
    'StoreDamaged',
    `${what} of vault '${vault.name}' can not be restored in full. ${named.join('. ')}.${more}`,
    {
      target: vault.name,
      action:
        'Back up the VM again: content that is met again is stored anew, and the point is whole then. What can be read of a damaged point is restored with --allow-damaged; "holdfast store repair" says what can be mended.',
    },
  );
}

/** The same of the vault's replica. */
export function damagedReplicaError(
  vault: VaultRow,
  { store_path: place }: Pick<ReplicaRow, 'store_path'>,
  points: readonly DamagedPoint[],
  count: number,
): HoldfastError {
  return new HoldfastError(
    'StoreDamaged',
    `${count} recovery point(s) in the replica of vault '${vault.name}' can not be restored in full. ${points.slice(0, namedPoints).map(damagedPointWords).join('. ')}.`,
    {
      target: place,
      action: "Restore these points from the vault's own store while it has them.",
    },
  );
}
