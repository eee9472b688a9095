import type { PointRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';

export const softDeleted = (point: PointRow) =>
  new HoldfastError(
    'UserErrorRecoveryPointSoftDeleted',
    `Recovery point ${point.point_id} is soft-deleted, to be removed ${point.soft_deleted_until}.`,
    { target: point.point_id },
  );

/** @throws UserErrorRecoveryPointSoftDeleted */
export function refuseSoftDeleted(point: PointRow): void {
  if (point.soft_deleted_until !== null) throw softDeleted(point);
}
