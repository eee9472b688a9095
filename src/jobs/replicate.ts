import {
  findReplica,
  getVault,
  listOpenJobs,
  type ReplicaRow,
  updateReplica,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { jobErrorOf, type Operation } from './engine.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import { Replication } from './replication.ts';
import type { Workshop } from './workshop.ts';

export const copyToReplica = 'Copy recovery points to replica';
export const removeFromReplica = 'Remove expired recovery points from replica';
export const collectReplica = 'Give back space in replica';

const allTasks = [copyToReplica, removeFromReplica, collectReplica];

export interface ReplicatePayload {
  vaultId: string;
  /** Removes even most of the replica's points at once. */
  force: boolean;
}

/**
 * Starts bringing the replica of a vault up to date; where that is under way already, returns that job.
 * @throws ResourceNotFound without a replica @throws ResourceInUse to force one while another is under way
 */
export async function startReplication(
  workshop: Workshop,
  vault: VaultRow,
  options: { userTriggered: boolean; force?: boolean },
): Promise<string> {
  const { force = false, userTriggered } = options;
  if ((await findReplica(workshop.db, vault.vault_id)) === undefined) throw noReplica(vault);
  const running = await openReplication(workshop, vault.vault_id);
  if (running !== undefined && force) {
    throw new HoldfastError('ResourceInUse', `Vault '${vault.name}' is being replicated.`, {
      target: running,
      action: 'Wait until that job has ended, or cancel it, then try again.',
    });
  }
  if (running !== undefined) return running;
  return workshop.engine.start<ReplicatePayload>('Replicate', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: vault.name,
    userTriggered,
    payload: { vaultId: vault.vault_id, force },
    taskIds: allTasks,
  });
}

/** The job that replicates this vault now. */
export async function openReplication(workshop: Workshop, vaultId: string): Promise<string | undefined> {
  const jobs = await listOpenJobs(workshop.db);
  return jobs.find((job) => job.operation === 'Replicate' && job.vault_id === vaultId)?.job_id;
}

export const noReplica = (vault: VaultRow) =>
  new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no replica.`, {
    target: vault.name,
    action: 'Set one up with "holdfast vault replica set".',
  });

/** Taken up again it does the same: it looks at what the two stores have, and remembers nothing. */
export function replicateOperation(workshop: Workshop): Operation<ReplicatePayload> {
  return {
    run: (context) => replicate(workshop, context),
    resume: (context) => replicate(workshop, context),
    cancelRefusal: () => undefined,
  };
}

async function replicate(workshop: Workshop, context: JobContext<ReplicatePayload>): Promise<JobStatus> {
  const { vaultId } = context.payload;
  const vault = await getVault(workshop.db, vaultId);
  await using phase = await workshop.phases.tryEnter('replication', vaultId);
  if (phase === undefined) {
    for (const task of allTasks)
      await context.skipTask(task, 'another replication of this vault is under way');
    return 'Completed';
  }
  const replica = await findReplica(workshop.db, vaultId);
  if (replica === undefined) throw noReplica(vault);
  try {
    const problem = await bringUpToDate(workshop, context, vault, replica);
    await noteOutcome(workshop, replica, problem);
    if (problem !== undefined) await context.setError(jobErrorOf(problem));
    return problem === undefined ? 'Completed' : 'CompletedWithWarnings';
  } catch (error) {
    if (!(context.signal.reason instanceof ServiceStopping)) await noteOutcome(workshop, replica, error);
    throw error;
  }
}

async function noteOutcome(workshop: Workshop, replica: ReplicaRow, problem: unknown): Promise<void> {
  const now = workshop.clock.now().toString({ fractionalSecondDigits: 3 });
  await updateReplica(workshop.db, replica.vault_id, {
    attempted_at: now,
    ...(problem === undefined
      ? { completed_at: now, failures: 0, last_error_json: null }
      : { failures: replica.failures + 1, last_error_json: JSON.stringify(jobErrorOf(problem)) }),
  });
}

/** Returns what was left undone, as an error, where the rest could be done; throws where nothing could. */
async function bringUpToDate(
  workshop: Workshop,
  context: JobContext<ReplicatePayload>,
  vault: VaultRow,
  replica: ReplicaRow,
): Promise<HoldfastError | undefined> {
  await context.setProperties({ 'Replica store': replica.store_path });
  const replication = new Replication(workshop, replica, context.signal);
  const { force } = context.payload;
  const remove = () => context.runTask(removeFromReplica, (task) => replication.removeExpired(task, force));
  const collect = async () => {
    if (await replication.isCollectionDue())
      return context.runTask(collectReplica, (task) => replication.collect(task, force));
    await context.skipTask(collectReplica, 'once a day is enough');
    return undefined;
  };
  try {
    await context.runTask(copyToReplica, async (task) => {
      using _place = await workshop.replications.enter(context.signal);
      await replication.open(vault);
      await replication.copyMissing(task);
    });
  } catch (error) {
    // What has expired may be what fills the place up.
    if (isHoldfastError(error, 'StoreFull') && !context.signal.aborted) {
      await remove();
      await collect();
    }
    throw error;
  }
  const { copied, failed } = replication;
  await context.setProperties({
    'Recovery points copied': String(copied),
    ...(failed.length === 0
      ? {}
      : { 'Recovery points not copied': failed.map(({ pointId }) => pointId).join(';') }),
  });
  const removal = await remove();
  await context.setProperties({ 'Recovery points removed': String(removal.removed) });
  const collection = await collect();
  const [first] = failed;
  if (first === undefined) return removal.refusal ?? collection;
  if (failed.length === 1) return first.error;
  return new HoldfastError(
    first.error.code,
    `${failed.length} recovery points could not be copied. The first: ${first.error.message}`,
    { cause: first.error, target: first.pointId },
  );
}
