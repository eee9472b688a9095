import { type ItemRow, listPoints, type VaultRow } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import {
  type BackupPolicy,
  judgePolicyEdit,
  type MemberEffect,
  type PointEffect,
  previewEdit,
  refusalError,
  type VaultSecurity,
} from '../protection/index.ts';
import { itemsUnder } from './edit-policy.ts';
import { memberOf } from './modify-policy.ts';
import { lastPolicyOf } from './policies.ts';
import { existingPoint } from './retained-point.ts';
import type { Workshop } from './workshop.ts';

/** Changed points that are named: of one VM, and of all. */
const namedOfItem = 100;
const namedOfAll = 1000;

/** How long the host of one member may take to tell of its VM. */
const answerTimeoutMs = 10_000;

/** What an edit would do to one item and its points. Times ISO 8601 UTC. */
export interface EditPreview {
  item: ItemRow;
  effect: MemberEffect['effect'];
  reasons: string[];
  longer: number;
  shorter: number;
  same: number;
  softDeletedAtOnce: number;
  removedAtOnce: number;
  undeletedAtOnce: number;
  changed: {
    recoveryPoint: string;
    time: string;
    before: string;
    after: string;
    atOnce: PointEffect['atOnce'];
    reason: string;
  }[];
}

/**
 * What an edit of a policy would do, before it is saved: to whom it comes, and which of their points would be kept
 * longer or expire sooner.
 * @throws what refuses the edit as a whole, as saving it would
 */
export async function previewEditOf(
  workshop: Workshop,
  vault: VaultRow,
  before: BackupPolicy,
  after: BackupPolicy,
  security: VaultSecurity,
): Promise<EditPreview[]> {
  const judged = judgePolicyEdit(before, after, [], security);
  if (!judged.allowed) throw refusalError(judged.refusals, before.name);
  const previews: EditPreview[] = [];
  let left = namedOfAll;
  for (const item of await itemsUnder(workshop.db, vault, before.name)) {
    const { effect, reasons } = await effectOn(workshop, item, after, security);
    // Of one that stays as it is, nothing changes.
    const then = effect === 'configure' ? after : lastPolicyOf(item);
    const points = (await listPoints(workshop.db, item.item_id)).map(existingPoint);
    const effects = previewEdit(points, lastPolicyOf(item), then, workshop.clock.now(), {
      softDeleteDays: security.softDelete.days,
    });
    const count = (test: (point: PointEffect) => boolean) => effects.filter(test).length;
    const takenAt = new Map(points.map((point) => [point.pointId, point.takenAt]));
    const changed = effects
      .filter(({ change }) => change !== 'same')
      .slice(0, Math.min(namedOfItem, left))
      .map((point) => ({
        recoveryPoint: point.pointId,
        time: `${takenAt.get(point.pointId)}`,
        before: `${point.before}`,
        after: `${point.after}`,
        atOnce: point.atOnce,
        reason: point.reason,
      }));
    left -= changed.length;
    previews.push({
      item,
      effect,
      reasons,
      longer: count(({ change }) => change === 'longer'),
      shorter: count(({ change }) => change === 'shorter'),
      same: count(({ change }) => change === 'same'),
      softDeletedAtOnce: count(({ atOnce }) => atOnce === 'soft-delete'),
      removedAtOnce: count(({ atOnce }) => atOnce === 'remove'),
      undeletedAtOnce: count(({ atOnce }) => atOnce === 'undelete'),
      changed,
    });
  }
  return previews;
}

async function effectOn(
  workshop: Workshop,
  item: ItemRow,
  after: BackupPolicy,
  security: VaultSecurity,
): Promise<{ effect: MemberEffect['effect']; reasons: string[] }> {
  try {
    const member = await memberOf(workshop, item, AbortSignal.timeout(answerTimeoutMs));
    const judged = judgePolicyEdit(lastPolicyOf(item), after, [member], security);
    if (!judged.allowed) return { effect: 'fail', reasons: judged.refusals.map(({ message }) => message) };
    const [effect] = judged.members;
    if (effect?.effect === 'fail')
      return { effect: 'fail', reasons: effect.refusals.map(({ message }) => message) };
    if (effect?.effect === 'leave') return { effect: 'leave', reasons: [effect.reason] };
    return { effect: 'configure', reasons: [] };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { effect: 'fail', reasons: [messageOf(error)] };
  }
}
