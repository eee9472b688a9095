import {
  type Database,
  findPoint,
  type ItemRow,
  listOfferedPoints,
  type PointRow,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import {
  type DiskTransfer,
  deletePoint,
  extendPoint,
  retainedPoint,
  type StoredPoint,
  startRestore,
  undeletePoint,
} from '../../jobs/index.ts';
import { endOfPoint, type PointEnd } from '../../protection/index.ts';
import { type RecoveryPoint, recoveryPointUpdate, restoreRequest } from '../client/index.ts';
import { parseFilter, parseMoment } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import { restoreOptionsOf } from '../restore-target.ts';
import {
  type ApiScope,
  accepted,
  itemOf,
  itemPath,
  mayRestoreAnywhere,
  param,
  parseBody,
  query,
  type RegisterRoutes,
  vaultOf,
} from '../scope.ts';

const azureConsistency = {
  application: 'AppConsistent',
  'file-system': 'FileSystemConsistent',
  crash: 'CrashConsistent',
} as const;

function present(scope: ApiScope, vault: VaultRow, item: ItemRow, point: PointRow): RecoveryPoint {
  const frozen = JSON.parse(point.frozen_json) as StoredPoint;
  const transfers = point.transfer_json === null ? [] : (JSON.parse(point.transfer_json) as DiskTransfer[]);
  const end = endOfRow(item, point);
  return {
    id: scope.ids.point(vault, item, point.point_id),
    name: point.point_id,
    type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints',
    properties: {
      objectType: 'IaasVMRecoveryPoint',
      recoveryPointType: azureConsistency[frozen.consistency],
      recoveryPointTime: point.taken_at,
      recoveryPointAdditionalInfo: frozen.consistencyReason ?? '',
      recoveryPointTierDetails: [
        ...(point.in_snapshot === 1 ? [{ type: 'InstantRP' as const, status: 'Valid' as const }] : []),
        ...(point.in_vault === 1 ? [{ type: 'HardenedRP' as const, status: 'Valid' as const }] : []),
      ],
      isManagedVirtualMachine: true,
      recoveryPointDiskConfiguration: {
        numberOfDisksAttachedToVm: frozen.disks.length + frozen.excludedDisks.length,
        numberOfDisksIncludedInBackup: frozen.disks.length,
        // Azure counts the operating system's disk as -1; here it is the first.
        includedDiskList: frozen.disks.map((disk, index) => ({ lun: index - 1, name: disk.target })),
        excludedDiskList: frozen.excludedDisks.map((name, index) => ({
          lun: frozen.disks.length + index - 1,
          name,
        })),
      },
      recoveryPointProperties: {
        ...(end.by === 'expiry' || end.by === 'removal' ? { expiryTime: point.expires_at } : {}),
        ...(point.rule_name === null ? {} : { ruleName: point.rule_name }),
        isSoftDeleted: point.soft_deleted_until !== null,
      },
      holdfast: {
        jobId: point.job_id,
        inReplica: point.in_replica === 1,
        ...(frozen.isBeforeRestore === true && { isBeforeRestore: true }),
        keptUntil: end.by,
        ...(end.by === 'removal' || end.by === 'purge'
          ? { removalTime: end.at.toString({ fractionalSecondDigits: 3 }) }
          : {}),
        ...(point.damaged === 1 && { damaged: true }),
        frozenMs: frozen.frozenMs,
        powerState: frozen.powerState,
        disks: frozen.disks.map((disk) => {
          const transfer = transfers.find((candidate) => candidate.target === disk.target);
          return {
            target: disk.target,
            sizeBytes: disk.sizeBytes,
            format: disk.originalFormat,
            ...(transfer === undefined
              ? {}
              : {
                  readBytes: transfer.readBytes,
                  newBytes: transfer.newBytes,
                  storedBytes: transfer.storedBytes,
                  basis: transfer.basis,
                }),
          };
        }),
      },
    },
  };
}

function endOfRow(item: ItemRow, point: PointRow): PointEnd {
  const purgeAt = item.purge_at === null ? undefined : Temporal.Instant.from(item.purge_at);
  return endOfPoint({ state: item.state, purgeAt }, retainedPoint(point));
}

/** Whether a point is offered: it can be restored from somewhere. */
const isSomewhere = (point: PointRow) =>
  point.in_snapshot === 1 || point.in_vault === 1 || point.in_replica === 1;

/** @throws ResourceNotFound also for a point that can be restored from nowhere */
export async function pointOf(db: Database, item: ItemRow, name: string): Promise<PointRow> {
  const point = await findPoint(db, item.item_id, name);
  if (point === undefined || !isSomewhere(point)) {
    throw new HoldfastError('ResourceNotFound', `'${item.vm_name}' has no recovery point ${name}.`, {
      target: name,
      action: 'List the recovery points with "holdfast recovery-point list".',
    });
  }
  return point;
}

export const registerRecoveryPoints: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db } = workshop;

  app.get(`${itemPath}/recoveryPoints`, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const filter = parseFilter(query(request, '$filter'), ['startDate', 'endDate', 'includeSoftDeletedRP']);
    const momentOf = (text: string | undefined) => (text === undefined ? undefined : parseMoment(text));
    const withDeleted = filter.get('includesoftdeletedrp')?.toLowerCase() === 'true';
    const from = momentOf(filter.get('startdate'));
    const until = momentOf(filter.get('enddate'));
    const wish = pageWish(request, ['', '']);
    const points = await listOfferedPoints(
      db,
      item.item_id,
      { takenFrom: from, takenUntil: until, withDeleted },
      { limit: wish.size + 1, after: wish.after },
    );
    const page = pageOf(request, wish, points, (point) => [point.taken_at, point.point_id]);
    return { ...page, value: page.value.map((point) => present(scope, vault, item, point)) };
  });

  app.get(`${itemPath}/recoveryPoints/:point`, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    return present(scope, vault, item, await pointOf(db, item, param(request, 'point')));
  });

  app.patch(`${itemPath}/recoveryPoints/:point`, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const { point_id: pointId } = await pointOf(db, item, param(request, 'point'));
    const { expiryTime } = parseBody(recoveryPointUpdate, request).properties;
    return present(
      scope,
      vault,
      item,
      await extendPoint(workshop, item, pointId, Temporal.Instant.from(expiryTime)),
    );
  });

  app.delete(`${itemPath}/recoveryPoints/:point`, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const { point_id: pointId } = await pointOf(db, item, param(request, 'point'));
    return present(scope, vault, item, await deletePoint(workshop, item, pointId));
  });

  app.post(`${itemPath}/recoveryPoints/:point/providers/Holdfast.Fleet/undelete`, async (request) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const { point_id: pointId } = await pointOf(db, item, param(request, 'point'));
    return present(scope, vault, item, await undeletePoint(workshop, item, pointId));
  });

  app.post(`${itemPath}/recoveryPoints/:point/restore`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const item = await itemOf(db, vault, request);
    const point = await pointOf(db, item, param(request, 'point'));
    const { properties } = parseBody(restoreRequest, request);
    const options = await restoreOptionsOf(
      scope,
      { vault, item, point },
      properties,
      mayRestoreAnywhere(request),
    );
    const jobId = await startRestore(workshop, item, point, options);
    const operationId = await noteOperation(workshop, { jobId });
    return accepted(request, reply, ids.item(vault, item), operationId);
  });
};
