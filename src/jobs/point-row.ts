import { type ItemRow, inVault, type PointRow } from '../catalog/index.ts';
import type { FrozenPoint } from '../machines/index.ts';
import type { PointBasis } from '../protection/index.ts';
import { catalogTime } from './clock.ts';
import { expiryColumns, lastPolicyOf } from './policies.ts';
import type { StoredPoint } from './stored-point.ts';

/** The row of a point that the host has just frozen, and the definition beside it. */
export function pointRowOf(
  item: ItemRow,
  frozen: FrozenPoint & Pick<StoredPoint, 'isBeforeRestore'>,
  { jobId, basis, runAt }: { jobId: string; basis: PointBasis; runAt: string | null },
): { point: PointRow; definitionJson: string } {
  const { definition, ...stored } = frozen;
  const point: PointRow = {
    point_id: frozen.pointId,
    item_id: item.item_id,
    job_id: jobId,
    taken_at: catalogTime(Temporal.Instant.from(frozen.takenAt)),
    ...expiryColumns(lastPolicyOf(item), basis),
    basis_json: JSON.stringify(basis),
    run_at: runAt,
    soft_deleted_until: null,
    deleted_by_person: 0,
    damaged: 0,
    in_snapshot: 1,
    in_vault: inVault.no,
    in_replica: 0,
    frozen_json: JSON.stringify(stored satisfies StoredPoint),
    transfer_json: null,
  };
  return { point, definitionJson: JSON.stringify(definition) };
}
