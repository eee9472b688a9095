import {
  type Database,
  findPoint,
  getItem,
  getVault,
  type ItemRow,
  listPoints,
  type PointRow,
  updatePoint,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import { judgePointDeletion, judgePointExtension, refusalError } from '../protection/index.ts';
import { catalogTime } from './clock.ts';
import { maintainItem } from './maintenance.ts';
import { expiryColumns, lastPolicyOf } from './policies.ts';
import { basisOf, retainedPoint } from './retained-point.ts';
import { softDeleted } from './soft-deleted.ts';
import { securityOf } from './vault-security.ts';
import type { Workshop } from './workshop.ts';

/**
 * Keeps one recovery point until a later date; its policy may keep it longer still.
 * @throws ResourceNotFound, InvalidInput for a date before its expiry, UserErrorRecoveryPointSoftDeleted
 */
export async function extendPoint(
  workshop: Workshop,
  item: ItemRow,
  pointId: string,
  until: Temporal.Instant,
): Promise<PointRow> {
  const changed = await change(workshop, item, pointId, async (tx, now, point) => {
    if (point.deleted_by_person === 1) throw softDeleted(point);
    const judged = judgePointExtension(retainedPoint(point), until, workshop.clock.now());
    if (!judged.allowed) throw refusalError(judged.refusals, pointId);
    const basis = { ...basisOf(point), retainUntil: judged.retainUntil };
    await updatePoint(tx, pointId, {
      basis_json: JSON.stringify(basis),
      ...expiryColumns(lastPolicyOf(now), basis, point),
    });
  });
  // One that an edit of its policy had soft-deleted comes back.
  maintainItem(workshop, item.item_id);
  return changed;
}

/**
 * Soft-deletes one recovery point: it is removed when the vault's soft-delete period is over, unless it is undeleted.
 * @throws ResourceNotFound, UserErrorLastRecoveryPoint, UserErrorOperationDeniedOnImmutableItem,
 *   UserErrorRecoveryPointSoftDeleted
 */
export async function deletePoint(workshop: Workshop, item: ItemRow, pointId: string): Promise<PointRow> {
  return change(workshop, item, pointId, async (tx, _now, point) => {
    if (point.deleted_by_person === 1) throw softDeleted(point);
    const points = (await listPoints(tx, item.item_id)).map(retainedPoint);
    const security = securityOf(await getVault(tx, item.vault_id));
    const judged = judgePointDeletion(retainedPoint(point), points, security, workshop.clock.now());
    if (!judged.allowed) throw refusalError(judged.refusals, pointId);
    await updatePoint(tx, pointId, {
      soft_deleted_until: catalogTime(judged.softDeleteUntil),
      deleted_by_person: 1,
    });
  });
}

/**
 * Brings back a recovery point that somebody deleted. It expires as it would have.
 * @throws ResourceNotFound, UserErrorItemNotSoftDeleted
 */
export async function undeletePoint(workshop: Workshop, item: ItemRow, pointId: string): Promise<PointRow> {
  return change(workshop, item, pointId, async (tx, _now, point) => {
    if (point.deleted_by_person !== 1)
      throw new HoldfastError(
        'UserErrorItemNotSoftDeleted',
        `Nobody has deleted recovery point ${pointId}.`,
        {
          target: pointId,
          action:
            'What an edit of its policy made expire comes back with a longer retention, or by extending the point.',
        },
      );
    await updatePoint(tx, pointId, { soft_deleted_until: null, deleted_by_person: 0 });
  });
}

/** As one transaction, on what the catalog says then. */
async function change(
  { db }: Workshop,
  { item_id: itemId, vm_name: name }: ItemRow,
  pointId: string,
  work: (tx: Database, item: ItemRow, point: PointRow) => Promise<void>,
): Promise<PointRow> {
  return db.transaction().execute(async (tx) => {
    const find = async () => {
      const point = await findPoint(tx, itemId, pointId);
      if (point !== undefined) return point;
      throw new HoldfastError('ResourceNotFound', `'${name}' has no recovery point ${pointId}.`, {
        target: pointId,
      });
    };
    const point = await find();
    await work(tx, await getItem(tx, itemId), point);
    return find();
  });
}
