import type { ItemRow } from '../catalog/index.ts';
import { policyOf } from '../jobs/index.ts';
import { type BackupPolicy, nextRun } from '../protection/index.ts';

/** A policy as items carry it, with some of the spans between its runs that were looked at. */
interface Known {
  policy: BackupPolicy;
  /** Whatever moment lies in one, from its start to before its end, the next run is its end. ISO 8601 UTC. */
  spans: { from: string; until: string }[];
}

/** Thousands of items share a few policies; most of them have been dealt with up to the same few runs. */
const mostPolicies = 500;
const mostSpans = 8;

const known = new Map<string, Known>();

function knownOf(item: ItemRow): Known | undefined {
  const found = known.get(item.policy_json);
  if (found !== undefined) return item.policy_name === null ? undefined : found;
  const policy = policyOf(item);
  if (policy === undefined) return undefined;
  const made = { policy, spans: [] };
  known.set(item.policy_json, made);
  if (known.size > mostPolicies) {
    const [oldest] = known.keys();
    if (oldest !== undefined) known.delete(oldest);
  }
  return made;
}

/** As `policyOf` of the jobs, reading each text once. Whoever gets it must not change it. */
export const policyInForce = (item: ItemRow): BackupPolicy | undefined => knownOf(item)?.policy;

/** When the next run of an item's policy is, after what was dealt with; undefined where it is under none. */
export function nextRunOf(item: ItemRow): string | undefined {
  const found = knownOf(item);
  if (found === undefined) return undefined;
  const at = item.schedule_handled_until;
  // Times of the catalog sort as text.
  const span = found.spans.find(({ from, until }) => from <= at && at < until);
  if (span !== undefined) return shown(span.until);
  const until = nextRun(found.policy, Temporal.Instant.from(at)).at.toString({ fractionalSecondDigits: 3 });
  found.spans = [{ from: at, until }, ...found.spans].slice(0, mostSpans);
  return shown(until);
}

/** Runs are at whole minutes. */
const shown = (at: string) => at.replace(/\.000Z$/, 'Z');
