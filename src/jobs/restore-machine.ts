import { getItem } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { Host, MachineDefinition, RestoredMachine } from '../machines/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { type JobContext, ServiceStopping } from './job-context.ts';
import type { Placing } from './placing.ts';
import type { LiveRestore } from './restore-live.ts';
import type { RestorePayload } from './restore-payload.ts';
import { isLive, type RestorePlan } from './restore-plan.ts';
import { createMachine, flattenDisks } from './restore-tasks.ts';
import { definitionOf } from './start-restore.ts';
import type { Workshop } from './workshop.ts';

/**
 * Makes a VM of the restored disks. Once it exists, nothing takes its disks away again, whatever fails afterwards.
 */
export async function restoreMachine(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  placing: Placing,
  plan: RestorePlan,
  definition: MachineDefinition,
  live: LiveRestore,
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
          live: isLive(options),
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
  if (isLive(options)) return live.detach(definition);
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
  live: LiveRestore,
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
  const isOff = machine.state === 'shut off';
  const background = isLive(options)
    ? await live.detach(await definitionOf(workshop, point.pointId))
    : undefined;
  if (isOff) {
    await context.setError({
      code: 'JobInterrupted',
      message: `The VM '${machine.name}' was restored, but the service stopped before it was started.`,
      action: 'Start the VM.',
    });
    return 'CompletedWithWarnings';
  }
  return background ?? (tier === 'snapshot' ? flatten(context, host) : 'Completed');
}
