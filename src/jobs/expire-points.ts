import {
  type Database,
  deleteGonePoints,
  findItem,
  getVault,
  type ItemRow,
  inVault,
  listPoints,
  updatePoint,
} from '../catalog/index.ts';
import { decideRetention, type RetentionDecision } from '../protection/index.ts';
import { mergeGivenUp, removeLeaving } from './carry-out-removals.ts';
import { catalogTime } from './clock.ts';
import { jobErrorOf, type NewJob, type Operation } from './engine.ts';
import { hostCarries } from './host-carries.ts';
import type { JobContext } from './job-context.ts';
import { lastPolicyOf, retentionPolicyOf } from './policies.ts';
import { retainedPoint } from './retained-point.ts';
import { securityOf } from './vault-security.ts';
import type { Workshop } from './workshop.ts';

export const mergeSnapshots = 'Merge snapshots on host';
export const removeExpired = 'Remove expired points from vault';

export interface ExpirePayload {
  itemId: string;
}

/** Reasons that a job spells out; a shortened policy can end thousands of points at once. */
const mostReasons = 50;

/**
 * Decides what becomes of an item's points now, and starts the job that carries it out and says why. What was decided
 * is noted with the job, so that it holds whatever dies afterwards. Without anything to change there is no job.
 */
export async function startExpiry(workshop: Workshop, itemId: string): Promise<string | undefined> {
  const [jobId] = await workshop.engine.startMany<ExpirePayload>('ExpirePoints', async (tx) => {
    const item = await findItem(tx, itemId);
    const job = item && (await decide(workshop, tx, item));
    return job === undefined ? [] : [job];
  });
  return jobId;
}

async function decide(
  workshop: Workshop,
  tx: Database,
  item: ItemRow,
): Promise<NewJob<ExpirePayload> | undefined> {
  const policy = retentionPolicyOf(item);
  const points = await listPoints(tx, item.item_id);
  // Where protection is stopped everything is kept, but for what a person has deleted.
  const mayGo = new Set(
    points
      .filter(
        (point) => policy !== undefined || (point.deleted_by_person === 1 && item.state !== 'SoftDeleted'),
      )
      .map((point) => point.point_id),
  );
  if (mayGo.size === 0) return undefined;
  const { softDelete } = securityOf(await getVault(tx, item.vault_id));
  const decisions = decideRetention(points.map(retainedPoint), lastPolicyOf(item), workshop.clock.now(), {
    softDeleteDays: softDelete.days,
    hostCarries: hostCarries(points),
  }).filter(
    ({ pointId, keep, softDeleteUntil, undelete }) =>
      mayGo.has(pointId) && (!keep || softDeleteUntil || undelete),
  );
  if (decisions.length === 0) return undefined;
  for (const decision of decisions) {
    workshop.log.info(
      { itemId: item.item_id, pointId: decision.pointId, tier: decision.tier },
      sentenceOf(decision),
    );
    await updatePoint(tx, decision.pointId, changeOf(decision));
  }
  const goes = (tier: RetentionDecision['tier']) =>
    decisions.some((decision) => decision.tier === tier && !decision.keep);
  return {
    vaultId: item.vault_id,
    itemId: item.item_id,
    entityName: item.vm_name,
    userTriggered: false,
    payload: { itemId: item.item_id },
    taskIds: [...(goes('snapshot') ? [mergeSnapshots] : []), ...(goes('vault') ? [removeExpired] : [])],
    properties: propertiesOf(decisions, new Map(points.map((point) => [point.point_id, point.taken_at]))),
  };
}

function changeOf({ tier, keep, softDeleteUntil }: RetentionDecision) {
  if (!keep) return tier === 'snapshot' ? { in_snapshot: 0 } : { in_vault: inVault.leaving };
  return { soft_deleted_until: softDeleteUntil === undefined ? null : catalogTime(softDeleteUntil) };
}

function sentenceOf({ keep, softDeleteUntil, reason }: RetentionDecision): string {
  if (!keep) return `is removed: ${reason}`;
  return softDeleteUntil === undefined ? `is undeleted: ${reason}` : reason;
}

function propertiesOf(
  decisions: readonly RetentionDecision[],
  takenAt: ReadonlyMap<string, string>,
): Record<string, string> {
  const pointsOf = (test: (decision: RetentionDecision) => unknown) =>
    new Set(decisions.filter(test).map(({ pointId }) => pointId)).size;
  const counts = {
    'Snapshots given up': pointsOf(({ tier, keep }) => tier === 'snapshot' && !keep),
    'Removed from the vault': pointsOf(({ tier, keep }) => tier === 'vault' && !keep),
    'Soft-deleted': pointsOf(({ softDeleteUntil }) => softDeleteUntil),
    Undeleted: pointsOf(({ keep, undelete }) => keep && undelete),
  };
  const reasons = decisions
    .slice(0, mostReasons)
    .map((decision) => [
      `${takenAt.get(decision.pointId) ?? decision.pointId}, ${decision.tier}`,
      sentenceOf(decision),
    ]);
  const more = decisions.length - reasons.length;
  return {
    ...Object.fromEntries(
      Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [[name, String(count)]])),
    ),
    ...Object.fromEntries(reasons),
    ...(more > 0 && { 'Not listed': String(more) }),
  };
}

/**
 * Carries out what has been decided. What a host or a store that is away holds up is done by a later maintenance; the
 * job says so and holds nothing else up.
 */
export function expirePointsOperation(workshop: Workshop): Operation<ExpirePayload> {
  const carryOut = async (context: JobContext<ExpirePayload>) => {
    const item = await findItem(workshop.db, context.payload.itemId);
    if (item === undefined) return 'Completed' as const; // purged meanwhile
    const failures: unknown[] = [];
    for (const [taskId, work] of [
      [mergeSnapshots, mergeGivenUp],
      [removeExpired, removeLeaving],
    ] as const) {
      if (!context.hasTask(taskId)) continue;
      try {
        await context.runTask(taskId, () => work(workshop, item, context.signal));
      } catch (error) {
        context.signal.throwIfAborted();
        failures.push(error);
      }
    }
    await deleteGonePoints(workshop.db, item.item_id);
    if (failures.length === 0) return 'Completed' as const;
    await context.setError(jobErrorOf(failures[0]));
    return 'CompletedWithWarnings' as const;
  };
  return {
    run: carryOut,
    // Whoever maintains the item already does the same; two at once would trip over each other.
    async resume(context) {
      await using maintenance = await workshop.phases.tryEnter('maintenance', context.payload.itemId);
      return maintenance === undefined ? 'Completed' : carryOut(context);
    },
  };
}
