import { getItem } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { Host, MachineDefinition, RestoredMachine } from '../machines/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import type { Placing, PlacingNotes } from './placing.ts';
import type { RestoreOptions, RestorePlan, StoreChoice, Tier } from './restore-plan.ts';
import type { StoredPoint } from './stored-point.ts';
import type { Workshop } from './workshop.ts';

export const createMachine = 'Create virtual machine';
export const flattenDisks = 'Copy snapshot data in the background';

/** What a restore job knows and notes down. */
export interface RestorePayload extends PlacingNotes {
  options: RestoreOptions;
  itemId: string;
  point: StoredPoint;
  tier: Tier;
  vaultAsFallback: boolean;
  /** Which store a restore from the vault reads; and whether the replica may stand in for it. */
  store: StoreChoice;
  replicaAsFallback: boolean;
  /** Identity of the new VM, chosen before it exists, so that it can be looked for after a crash. */
  machineUuid: string;
  /** From here on the VM may exist, and its disks are no longer ours to remove. */
  defining?: boolean;
  /** The disks have gaps: the point was damaged, and the caller wanted what is left. */
  hasGaps?: boolean;
}

/**
 * Makes a VM of the restored disks. Once it exists, nothing takes its disks away again, whatever fails afterwards.
 */
export async function restoreMachine(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  plan: RestorePlan,
  definition: MachineDefinition,
): Promise<JobStatus> {
  const { options, machineUuid, itemId } = context.payload;
  const item = await getItem(workshop.db, itemId);
  const host = await workshop.estate.host(item.host_name);
  await context.savePayload({ defining: true });
  let machine: RestoredMachine | undefined;
  try {
    await context.runTask(createMachine, async () => {
      machine = await host.defineRestored(
        {
          definition,
          uuid: machineUuid,
          name: options.machineName ?? '',
          disks: plan.disks.map(({ target, path, format }) => ({ target, path, format })),
          connectNetwork: options.connectNetwork ?? false,
          network: options.network,
          directory: options.directory,
          start: options.start ?? false,
        },
        context.signal,
      );
    });
  } catch (error) {
    if (machine === undefined) {
      if (context.signal.reason instanceof ServiceStopping) throw error;
      if (await isGone(host, machineUuid)) await placing.removeAll();
      throw error;
    }
    workshop.log.error(
      { jobId: context.jobId, err: error },
      'the VM was restored, but this could not be noted',
    );
  }
  const made = machine as RestoredMachine | undefined;
  if (made === undefined) throw new Error('a restored VM is neither defined nor refused');
  try {
    await context.setProperties({
      'Target VM Id': made.uuid,
      'Changed in the definition': made.changes.join(' '),
    });
  } catch (error) {
    workshop.log.error(
      { jobId: context.jobId, vm: made.uuid, err: error },
      'a restored VM could not be noted',
    );
  }
  return context.payload.tier === 'snapshot' && options.start === true ? flatten(context, host) : 'Completed';
}

/** Whether the host says for sure that there is no such VM. */
async function isGone(host: Host, uuid: string): Promise<boolean> {
  try {
    await host.getMachine(uuid);
    return false;
  } catch (error) {
    return isHoldfastError(error, 'UserErrorVmNotFoundV2');
  }
}

/** A VM that runs from frozen layers gets disks of its own; until then the layers stay. */
async function flatten(context: JobContext<RestorePayload>, host: Host): Promise<JobStatus> {
  try {
    await context.runTask(flattenDisks, async (task) => {
      let figures = { processedBytes: 0, totalBytes: 0, readBytes: 0, newBytes: 0, storedBytes: 0 };
      task.reportProgress(() => figures);
      await host.flattenMachine(context.payload.machineUuid, {
        signal: context.signal,
        onProgress: (done, total) => {
          figures = {
            ...figures,
            processedBytes: done,
            totalBytes: total,
            readBytes: done,
            storedBytes: done,
          };
        },
      });
    });
    return 'Completed';
  } catch (error) {
    if (context.signal.aborted) throw error;
    await context.setError({
      code: isHoldfastError(error) ? error.code : 'InternalError',
      message: `The VM was restored, but its disks still depend on the snapshot: ${messageOf(error)}`,
      action: 'The snapshot is kept while the VM uses it.',
    });
    return 'CompletedWithWarnings';
  }
}

/**
 * The process died when the VM was about to be, or had been, defined. What is there is kept; what was not finished is
 * finished or said.
 */
export async function resumeMachine(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
): Promise<JobStatus> {
  const { options, machineUuid, itemId, tier, point } = context.payload;
  const item = await getItem(workshop.db, itemId);
  const host = await workshop.estate.host(item.host_name);
  if (await isGone(host, machineUuid)) {
    await host.discardRestored({ uuid: machineUuid, directory: options.directory });
    await placing.removeAll();
    throw new HoldfastError(
      'JobInterrupted',
      `The service stopped during the restore of '${point.machineName}'.`,
      { target: point.machineName },
    );
  }
  const machine = await host.getMachine(machineUuid);
  await context.completeTask(createMachine);
  await context.setProperties({ 'Target VM Id': machineUuid });
  if (options.start !== true) return 'Completed';
  if (machine.state === 'shut off') {
    await context.setError({
      code: 'JobInterrupted',
      message: `The VM '${machine.name}' was restored, but the service stopped before it was started.`,
      action: 'Start the VM.',
    });
    return 'CompletedWithWarnings';
  }
  return tier === 'snapshot' ? flatten(context, host) : 'Completed';
}
