import { packFooterBytes, packHeaderBytes } from '../pack-format.ts';
import type { CollectPlan, PackAction, PackPlan } from '../types.ts';

/** What a collection knows of one pack once everything has been marked. */
export interface PackFacts {
  pack: string;
  sizeBytes: number;
  /** Needed by points, or by whoever reads or writes at the moment. */
  neededBytes: number;
  /** Of these, needed by points. */
  neededByPoints: boolean;
  /** Whether it has copies of needed chunks of which another pack has a copy, too. */
  isSpare: boolean;
  /** Why its contents are not known; such a pack is left alone. */
  unreadable?: string | undefined;
  /** Part of it is known to be bad: what is good is to leave it, so that nothing damaged stays once it is healed. */
  isDamaged: boolean;
  /** Written while the collection ran, or by a writer that is still open. */
  isBeingWritten: boolean;
  condemned?:
    | {
        generation: number;
        at: string;
        /** A writer is open that began before and may rely on it. */
        olderWriter: boolean;
      }
    | undefined;
}

export interface PlanRules {
  /** The generation that this collection is. */
  generation: number;
  now: Temporal.Instant;
  minimumAgeMs: number;
  wasteThreshold: number;
}

/** What is to be done with a pack, and why. */
export function planPack(facts: PackFacts, rules: PlanRules): PackPlan {
  const { pack, sizeBytes, neededBytes } = facts;
  const [action, reason] = decide(facts, rules);
  return { pack, sizeBytes, neededBytes, action, reason };
}

function decide(facts: PackFacts, rules: PlanRules): [PackAction, string] {
  const { condemned, neededBytes } = facts;
  if (facts.unreadable !== undefined) return ['keep', `what is in it is unknown: ${facts.unreadable}`];
  if (condemned !== undefined) {
    if (facts.neededByPoints) return ['pardon', 'a point needs it again'];
    if (neededBytes > 0) return ['wait', 'it is being read'];
    if (condemned.olderWriter) return ['wait', 'a writer is open that began before it was condemned'];
    if (condemned.generation >= rules.generation) return ['wait', 'it was condemned in this generation'];
    const ageMs = rules.now.since(condemned.at).total('milliseconds');
    if (ageMs < rules.minimumAgeMs)
      return ['wait', `it was condemned at ${condemned.at}, not long enough ago`];
    return ['remove', `nothing has needed it since generation ${condemned.generation}`];
  }
  if (facts.isBeingWritten) return ['keep', 'a writer has just written it'];
  if (neededBytes === 0 && !facts.isSpare) return ['condemn', 'nothing needs it'];
  const waste = wasteOf(facts);
  if (waste > rules.wasteThreshold) return ['repack', `${Math.round(waste * 100)} % of it is waste`];
  if (facts.isDamaged) return ['repack', 'part of it is damaged'];
  return ['keep', 'it is needed'];
}

/** The share of a pack that repacking would save. */
function wasteOf({ sizeBytes, neededBytes }: PackFacts): number {
  const frames = sizeBytes - packHeaderBytes - packFooterBytes;
  return frames <= 0 ? 0 : Math.max(0, 1 - neededBytes / frames);
}

/** One line for each pack that is not simply kept, the ones that free most first, and a last line with the sums. */
export function printPlan(plan: CollectPlan): string {
  const order: PackAction[] = ['remove', 'condemn', 'repack', 'pardon', 'wait', 'keep'];
  const lines: string[] = [];
  const sums: string[] = [];
  for (const action of order) {
    const packs = plan.packs.filter((pack) => pack.action === action);
    if (packs.length === 0) continue;
    const bytes = packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    sums.push(`${action} ${packs.length} (${bytes} bytes)`);
    if (action === 'keep') continue;
    for (const { pack, sizeBytes, neededBytes, reason } of packs)
      lines.push(`${action} ${pack}: ${sizeBytes} bytes, ${neededBytes} needed; ${reason}`);
  }
  lines.push(`generation ${plan.generation}, ${plan.points} points: ${sums.join(', ') || 'no packs'}`);
  return `${lines.join('\n')}\n`;
}
