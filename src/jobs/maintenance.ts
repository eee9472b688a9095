import {
  deleteGonePoints,
  findItem,
  getVault,
  type ItemRow,
  inVault,
  type JobRow,
  listItems,
  listOpenJobs,
  listPoints,
  listSnapshots,
  purgeJobs,
  updatePoint,
} from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { Host } from '../machines/index.ts';
import { decideRetention } from '../protection/index.ts';
import { collectDueStores } from './collect-stores.ts';
import { retentionPolicyOf } from './policies.ts';
import { startDuePurges } from './purge.ts';
import { pointsRunFrom } from './restore-live.ts';
import type { Workshop } from './workshop.ts';

/** How fast expired layers are merged on the host; the guest's own I/O comes first. */
const mergeBytesPerSecond = 200 * 2 ** 20;

/** How long ended jobs can be looked up. */
const jobDays = 180;

/**
 * Applies retention to one item in the background: gives up snapshots and vault points whose time is over. Every step
 * is noted in the catalog first and repeated until it succeeds, so dying anywhere costs nothing but time.
 */
export function maintainItem(workshop: Workshop, itemId: string): void {
  workshop.background.add(maintain(workshop, itemId).catch((error) => report(workshop, itemId, error)));
}

function report(workshop: Workshop, itemId: string, error: unknown): void {
  if (workshop.signal.aborted) return; // taken up again after the next start
  if (isHoldfastError(error)) workshop.log.warn({ itemId, code: error.code }, messageOf(error));
  else workshop.log.error({ itemId, err: error }, 'maintenance of an item failed');
}

/** Applies retention to every item, purges what is due, gives back space in the stores, and forgets jobs that ended long ago. */
export async function maintainAll(workshop: Workshop): Promise<void> {
  const before = workshop.clock.now().subtract({ hours: 24 * jobDays });
  await purgeJobs(workshop.db, before.toString({ fractionalSecondDigits: 3 }));
  await startDuePurges(workshop);
  for (const item of await listItems(workshop.db)) maintainItem(workshop, item.item_id);
  workshop.background.add(collectDueStores(workshop));
}

/** Resolves when no maintenance is running any more. */
export function maintenanceIdle(workshop: Workshop): Promise<void> {
  return workshop.background.idle();
}

async function maintain(workshop: Workshop, itemId: string): Promise<void> {
  await using maintenance = await workshop.phases.tryEnter('maintenance', itemId);
  if (maintenance === undefined) return;
  const item = await findItem(workshop.db, itemId);
  if (item === undefined) return; // purged meanwhile
  await decide(workshop, item);
  // Apart from each other: neither a store nor a host that is away holds up what the other can do.
  const results = await Promise.allSettled([
    expireSnapshots(workshop, item),
    expireVaultPoints(workshop, item),
  ]);
  for (const result of results) if (result.status === 'rejected') report(workshop, itemId, result.reason);
  await deleteGonePoints(workshop.db, itemId);
}

async function decide(workshop: Workshop, item: ItemRow): Promise<void> {
  const policy = retentionPolicyOf(item);
  if (policy === undefined) return; // protection is stopped: everything is kept
  const points = await listPoints(workshop.db, item.item_id);
  const decisions = decideRetention(
    points.map((point) => ({
      pointId: point.point_id,
      takenAt: Temporal.Instant.from(point.taken_at),
      expiresAt: Temporal.Instant.from(point.expires_at),
      inSnapshot: point.in_snapshot === 1,
      inVault: point.in_vault === inVault.yes,
    })),
    policy,
    workshop.clock.now(),
  );
  for (const { pointId, tier, keep, reason } of decisions) {
    if (keep) continue;
    workshop.log.info({ itemId: item.item_id, pointId, tier }, `recovery point expires: ${reason}`);
    await updatePoint(
      workshop.db,
      pointId,
      tier === 'snapshot' ? { in_snapshot: 0 } : { in_vault: inVault.leaving },
    );
  }
}

/**
 * Merges the layers of every point of this VM on the host that the catalog does not count as a snapshot: expired ones,
 * and those of a backup that died before it could note them.
 */
async function expireSnapshots(workshop: Workshop, item: ItemRow): Promise<void> {
  const host = await workshop.estate.host(item.host_name);
  const onHost = await pointsOnHost(host, item);
  // In this order: a point that is being taken is named by its open job until the catalog has it.
  const beingTaken = new Set((await listOpenJobs(workshop.db)).flatMap((job) => pointOfJob(job)));
  // Those of its VM, whichever vault they are of.
  const kept = new Set(await listSnapshots(workshop.db, item.host_name, item.vm_uuid));
  const given = onHost.filter((pointId) => !kept.has(pointId) && !beingTaken.has(pointId));
  if (given.length === 0) return;
  using _place = await workshop.merges.enter(item.host_name, workshop.signal);
  const result = await host.expirePoints(item.vm_uuid, given, {
    bandwidthBytesPerSecond: mergeBytesPerSecond,
    signal: workshop.signal,
  });
  for (const { pointId, reason } of result.waiting) {
    workshop.log.info({ itemId: item.item_id, pointId }, `layers are merged later: ${reason}`);
  }
}

/** None when the VM is gone: there is nothing to merge then, and nothing wrong with maintenance. */
async function pointsOnHost(host: Host, item: ItemRow): Promise<string[]> {
  try {
    return await host.listPoints(item.vm_uuid);
  } catch (error) {
    if (isHoldfastError(error, 'UserErrorVmNotFoundV2')) return [];
    throw error;
  }
}

function pointOfJob(job: JobRow): string[] {
  const { pointId } = JSON.parse(job.payload_json) as { pointId?: string };
  return job.operation === 'Backup' && pointId !== undefined ? [pointId] : [];
}

async function expireVaultPoints(workshop: Workshop, item: ItemRow): Promise<void> {
  const runFrom = await pointsRunFrom(workshop.db);
  const leaving = (await listPoints(workshop.db, item.item_id)).filter(
    (point) => point.in_vault === inVault.leaving && !runFrom.has(point.point_id),
  );
  if (leaving.length === 0) return;
  const store = await workshop.estate.store(await getVault(workshop.db, item.vault_id));
  for (const point of leaving) {
    try {
      await store.deletePoint(item.item_id, point.point_id);
    } catch (error) {
      if (!isHoldfastError(error, 'RecoveryPointNotInStore')) throw error;
    }
    await updatePoint(workshop.db, point.point_id, { in_vault: inVault.no });
  }
}
