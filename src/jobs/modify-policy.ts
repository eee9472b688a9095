import {
  changeItem,
  type Database,
  findHost,
  findJob,
  findSavedPolicy,
  getItem,
  getVault,
  type ItemRow,
  type JobCursor,
  type JobRow,
  listItems,
  listJobs,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import {
  type BackupPolicy,
  judgePolicyEdit,
  type PolicyMember,
  refusalError,
  retentionOf,
} from '../protection/index.ts';
import type { Operation } from './engine.ts';
import type { JobContext } from './job-context.ts';
import { maintainItem } from './maintenance.ts';
import { lastPolicyOf, putUnderPolicy } from './policies.ts';
import { securityOf } from './vault-security.ts';
import { vmFactsOf } from './vm-facts.ts';
import type { Workshop } from './workshop.ts';

export interface ModifyPolicyPayload {
  policyName: string;
}

/** Of a ConfigureBackup job that an edit of a policy has started. */
export interface FollowPolicyPayload {
  itemId: string;
  /** The ModifyPolicy job. */
  editedBy: string;
}

/** Those that backups are made of by this policy, and that are not under it in its present form. */
export function membersToConfigure(items: readonly ItemRow[], policy: BackupPolicy): ItemRow[] {
  const form = JSON.stringify(policy);
  return items.filter((item) => retentionOf(item.state) === 'policy' && item.policy_json !== form);
}

/**
 * Starts a ConfigureBackup job for every item that is not under the policy in its present form. It can be begun anew at
 * any step: who is under the policy, or has a job of this edit, needs no other.
 */
export function modifyPolicyOperation(workshop: Workshop): Operation<ModifyPolicyPayload> {
  const modify: Operation<ModifyPolicyPayload>['run'] = async (context) => {
    const { db } = workshop;
    const found = await findJob(db, context.jobId);
    if (found === undefined) throw new Error(`job ${context.jobId} vanished`);
    const { vault_id: vaultId } = found.job;
    const saved = await findSavedPolicy(db, vaultId, context.payload.policyName);
    if (saved === undefined) return 'Completed'; // nothing was under it any more, and it was deleted
    const { policy } = saved;
    const begun = new Set((await jobsOfEdit(db, found.job)).map(({ item_id: itemId }) => itemId));
    const items = (await listItems(db, vaultId)).filter((item) => item.policy_name === policy.name);
    const members = membersToConfigure(items, policy);
    for (const item of members.filter(({ item_id: itemId }) => !begun.has(itemId))) {
      context.signal.throwIfAborted();
      await workshop.engine.start<FollowPolicyPayload>('ConfigureBackup', {
        vaultId,
        itemId: item.item_id,
        entityName: item.vm_name,
        userTriggered: true,
        payload: { itemId: item.item_id, editedBy: context.jobId },
        taskIds: [],
      });
      begun.add(item.item_id);
    }
    await context.setProperties({ 'Policy Name': policy.name, 'Protected items': String(begun.size) });
    return 'Completed';
  };
  return { run: modify, resume: modify };
}

/** The ConfigureBackup jobs that an edit of a policy has started so far. */
export async function jobsOfEdit(db: Database, edit: JobRow): Promise<JobRow[]> {
  const page = 1000;
  const found: JobRow[] = [];
  for (let after: JobCursor | undefined; ; ) {
    const jobs = await listJobs(
      db,
      edit.vault_id,
      { operation: 'ConfigureBackup', startedFrom: edit.started_at },
      { limit: page, after },
    );
    found.push(
      ...jobs.filter(
        (job) => (JSON.parse(job.payload_json) as Partial<FollowPolicyPayload>).editedBy === edit.job_id,
      ),
    );
    const last = jobs.at(-1);
    if (last === undefined || jobs.length < page) return found;
    after = [last.started_at, last.job_id];
  }
}

/**
 * ConfigureBackup jobs: those of an edit of a policy put their item under it, all others do as `configure` does. An
 * item that can't follow fails by its name and stays under the policy as it was, its points included.
 */
export function followingPolicies<Payload extends object>(
  workshop: Workshop,
  configure: Operation<Payload>,
): Operation<Payload | FollowPolicyPayload> {
  type Either = JobContext<Payload | FollowPolicyPayload>;
  const isFollowing = (payload: object): payload is FollowPolicyPayload => 'editedBy' in payload;
  const either = (way: 'run' | 'resume' | 'retry') => (context: Either) =>
    isFollowing(context.payload)
      ? follow(workshop, context as JobContext<FollowPolicyPayload>)
      : (configure[way] ?? configure.resume)(context as JobContext<Payload>);
  return {
    run: either('run'),
    resume: either('resume'),
    retry: either('retry'),
    ended(payload) {
      if (isFollowing(payload)) maintainItem(workshop, payload.itemId);
      else configure.ended?.(payload);
    },
  };
}

/** Edits that come in between are met by looking again; more than these in a row are somebody's mistake. */
const attempts = 5;

async function follow(workshop: Workshop, context: JobContext<FollowPolicyPayload>) {
  const { db } = workshop;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    context.signal.throwIfAborted();
    const item = await getItem(db, context.payload.itemId);
    const saved =
      item.policy_name === null ? undefined : await findSavedPolicy(db, item.vault_id, item.policy_name);
    if (saved === undefined || membersToConfigure([item], saved.policy).length === 0) {
      await context.setProperties({ Result: 'Left as it is: it is under the policy as it should be.' });
      return 'Completed' as const;
    }
    const security = securityOf(await getVault(db, item.vault_id));
    const member = await memberOf(workshop, item, context.signal);
    const judged = judgePolicyEdit(lastPolicyOf(item), saved.policy, [member], security);
    if (!judged.allowed) throw refusalError(judged.refusals, item.vm_name);
    const [effect] = judged.members;
    if (effect?.effect === 'fail') {
      const [first, ...more] = effect.refusals;
      if (first !== undefined) throw refusalError([first, ...more], item.vm_name);
    }
    if (await put(workshop, item, saved)) {
      await context.setProperties({ 'Policy Name': saved.policy.name });
      return 'Completed' as const;
    }
  }
  throw new HoldfastError(
    'BMSUserErrorConflictingProtectionOperation',
    `The protection of '${context.payload.itemId}' is being changed again and again.`,
  );
}

/** The item as the rules see it, with its VM as its host tells of it now. @throws HostUnreachable */
export async function memberOf(
  { db, estate }: Workshop,
  item: ItemRow,
  signal?: AbortSignal,
): Promise<PolicyMember> {
  const member = { name: item.vm_name, state: item.state };
  const host = await findHost(db, item.host_name);
  if (host === undefined) return { ...member, vm: undefined };
  try {
    const machine = await (await estate.host(host.name)).getMachine(item.vm_uuid, signal);
    return { ...member, vm: vmFactsOf({ host, machine }, JSON.parse(item.excluded_disks_json) as string[]) };
  } catch (error) {
    if (!isHoldfastError(error, 'UserErrorVmNotFoundV2')) throw error;
    return { ...member, vm: undefined };
  }
}

/** Returns false, and changes nothing, when item or policy is not what was judged any more. */
async function put(
  { db, clock }: Workshop,
  item: ItemRow,
  { policy, revision }: { policy: BackupPolicy; revision: string },
): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const saved = await findSavedPolicy(tx, item.vault_id, policy.name);
    if (saved?.revision !== revision || !(await changeItem(tx, item, {}))) return false;
    await putUnderPolicy(tx, item, policy, clock.now());
    return true;
  });
}
