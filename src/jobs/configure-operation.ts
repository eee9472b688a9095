import {
  findItem,
  findJob,
  getItem,
  getVault,
  type ItemRow,
  listJobs,
  updateItem,
} from '../catalog/index.ts';
import { isHoldfastError } from '../errors/index.ts';
import { recordAgent } from './agent-record.ts';
import { startBackup } from './backup.ts';
import type { ConfigurePayload } from './configure.ts';
import { jobErrorOf, type Operation } from './engine.ts';
import type { JobContext } from './job-context.ts';
import type { Workshop } from './workshop.ts';

/**
 * The work of configuring is done when the job begins; it confirms that host and store answer. Where they do not, the item
 * stays as it was configured, is tried by its schedule, and says what stands in the way until a backup or another
 * configuring has come through.
 */
export function configureOperation(workshop: Workshop): Operation<ConfigurePayload> {
  const confirm: Operation<ConfigurePayload>['run'] = async (context) => {
    try {
      await confirmItem(workshop, context);
    } catch (error) {
      if (context.signal.aborted || context.willRetry(error)) throw error;
      await noteHindrance(workshop, context, error);
      throw error;
    }
    await noteHindrance(workshop, context, undefined);
    return 'Completed';
  };
  return { run: confirm, resume: confirm, retry: confirm };
}

/** Of an item that was never backed up: once it was, how that went says more. */
async function noteHindrance(
  { db }: Workshop,
  context: JobContext<ConfigurePayload>,
  error: unknown,
): Promise<void> {
  const item = await findItem(db, context.payload.itemId);
  const text = error === undefined ? null : JSON.stringify(jobErrorOf(error));
  if (item === undefined || item.last_backup_status !== '' || item.last_error_json === text) return;
  await context.write((tx) => updateItem(tx, item.item_id, { last_error_json: text }));
}

async function confirmItem(workshop: Workshop, context: JobContext<ConfigurePayload>): Promise<void> {
  const { itemId, policyName, migrates } = context.payload;
  await context.setProperties({
    'Policy Name': policyName,
    ...(migrates ? { 'Job Type': 'Migrate policy' } : {}),
  });
  const item = await getItem(workshop.db, itemId);
  const host = await workshop.estate.host(item.host_name);
  await host.getMachine(item.vm_uuid);
  const { status } = await recordAgent(workshop, item, context.signal);
  await context.setProperties({ 'Guest agent': status });
  await workshop.estate.store(await getVault(workshop.db, item.vault_id));
  if (migrates) await backUpOnce(workshop, context, await getItem(workshop.db, itemId));
}

/** As in Azure, going over to an Enhanced policy backs the VM up; a backup that somebody else has started since will do. */
async function backUpOnce(
  workshop: Workshop,
  context: JobContext<ConfigurePayload>,
  item: ItemRow,
): Promise<void> {
  const { db } = workshop;
  const own = await findJob(db, context.jobId);
  const since = { operation: 'Backup', itemId: item.item_id, startedFrom: own?.job.started_at ?? '' };
  const [begun] = await listJobs(db, item.vault_id, since, { limit: 1 });
  if (begun !== undefined) return;
  try {
    await startBackup(workshop, item, {});
  } catch (error) {
    if (
      !isHoldfastError(
        error,
        'UserErrorBackupOperationInProgress',
        'UserErrorBcmDatasourceNotPresent',
        'BMSUserErrorConflictingProtectionOperation',
      )
    )
      throw error;
    await context.setProperties({ Backup: `Left to the schedule: ${error.message}` });
  }
}
