import { findPoint, getItem, type ItemRow, insertPoint } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { DiskTarget, FrozenPoint, Host } from '../machines/index.ts';
import { type JobStatus, scheduledBasis } from '../protection/index.ts';
import { copyFromSnapshot, copyFromVault, type RestoredDisk } from './disk-copy.ts';
import type { JobContext } from './job-context.ts';
import { pointRowOf } from './point-row.ts';
import { lastPolicyOf } from './policies.ts';
import { sayingHow } from './restore-gaps.ts';
import type { RestorePayload } from './restore-payload.ts';
import { openFrom } from './restore-places.ts';
import { planRestore } from './restore-plan.ts';
import { dataTask, replaceDisksTask } from './restore-tasks.ts';
import type { Workshop } from './workshop.ts';

/**
 * Restores to where the point came from: the VM's disks get the content of the point, all at once, when all of it is
 * there. What they had stays as a recovery point, a snapshot that is kept as long as the policy keeps snapshots. Whatever
 * fails before leaves the VM as it was; whatever fails after leaves it restored. Its definition is not touched.
 */
export async function replaceDisks(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
): Promise<JobStatus> {
  const { options, point, tier, store, itemId } = context.payload;
  const item = await getItem(workshop.db, itemId);
  const { disks } = planRestore(options, tier, point);
  await context.setProperties({
    'Job Type': 'Replace existing disks',
    // Azure's name of this property ends in a blank.
    'Recovery point time ': point.takenAt,
    'Target VM Name': item.vm_name,
  });
  await using phase = await workshop.phases.tryEnter('snapshot', item.item_id);
  if (phase === undefined)
    throw new HoldfastError(
      'UserErrorBackupOperationInProgress',
      `A backup of '${item.vm_name}' is taking its snapshot right now.`,
      { target: item.vm_name },
    );
  await refuseOriginal(workshop, item, disks);
  const host = await workshop.estate.host(item.host_name);
  const filled = Promise.withResolvers<void>();
  const replacing = host.replaceDisks(
    {
      machineUuid: item.vm_uuid,
      pointId: pointBeforeOf(context),
      // The others of the point, too: all disks of the VM belong to one moment.
      excludedDisks: excludedOf(item).filter((target) => disks.every((disk) => disk.target !== target)),
      consistency: 'crash',
      replaced: disks.map(({ target }) => target),
      fill: async (open) => {
        await context.runTask(dataTask(options, tier, store), async (task) => {
          using _place = await workshop.restores.enter(context.signal);
          const request = {
            // What is written has no name of its own yet: it is opened by the disk it will be.
            plan: disks.map((disk) => ({ ...disk, partial: disk.target })),
            createDisk: ({ path: target }: { path: string }): Promise<DiskTarget> => open(target),
            nowMs: () => workshop.clock.monotonicMs(),
            signal: context.signal,
            task,
            pointId: point.pointId,
          };
          if (tier === 'snapshot')
            return copyFromSnapshot({ ...request, host, machineUuid: point.machineUuid });
          const from = await openFrom(workshop, item.vault_id, store);
          await context.setProperties({ 'Restored from': store === 'replica' ? 'replica' : 'vault' });
          try {
            await copyFromVault({ ...request, store: from, itemId });
          } catch (error) {
            throw sayingHow(error);
          }
        });
        filled.resolve();
      },
    },
    context.signal,
  );
  await Promise.race([filled.promise, replacing]);
  const before = await context.runTask(replaceDisksTask, () => replacing);
  return finish(workshop, context, host, item, before);
}

/**
 * The process died. The host has finished or taken back what it was doing; whether the disks are those of the point is
 * told by the point of before, which is there if they are.
 */
export async function resumeReplacing(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
): Promise<JobStatus> {
  const { point, itemId, options, tier, store } = context.payload;
  const item = await getItem(workshop.db, itemId);
  const host = await workshop.estate.host(item.host_name);
  const pointId = pointBeforeOf(context);
  if (!(await host.listPoints(item.vm_uuid)).includes(pointId))
    throw new HoldfastError(
      'JobInterrupted',
      `The service stopped while the disks of '${point.machineName}' were being restored; it has those that it had.`,
      { target: point.machineName },
    );
  await context.completeTask(dataTask(options, tier, store));
  await context.completeTask(replaceDisksTask);
  // Asked again for a point it has, the host tells what it told the process that died.
  const before = await host.replaceDisks(
    {
      machineUuid: item.vm_uuid,
      pointId,
      excludedDisks: [],
      consistency: 'crash',
      replaced: [],
      fill: async () => {
        throw new Error(`point ${pointId} is gone from the host`);
      },
    },
    context.signal,
  );
  return finish(workshop, context, host, item, before);
}

/** Notes what the VM had as a recovery point, and starts the VM if that was asked for. */
async function finish(
  workshop: Workshop,
  context: JobContext<RestorePayload>,
  host: Host,
  item: ItemRow,
  before: FrozenPoint,
): Promise<JobStatus> {
  if ((await findPoint(workshop.db, item.item_id, before.pointId)) === undefined) {
    const takenAt = Temporal.Instant.from(before.takenAt);
    const restored = context.payload.point.takenAt;
    const kept = {
      ...before,
      isBeforeRestore: true,
      consistencyReason: `What '${item.vm_name}' had before its disks became those of ${restored}.`,
    };
    const { point, definitionJson } = pointRowOf(item, kept, {
      jobId: context.jobId,
      basis: scheduledBasis(lastPolicyOf(item), takenAt, []),
      runAt: null,
    });
    await context.write((tx) => insertPoint(tx, point, definitionJson));
  }
  await context.setProperties({ 'Recovery point of the replaced disks': before.pointId });
  if (context.payload.options.start === true) await host.startMachine(item.vm_uuid, context.signal);
  return 'Completed';
}

/** @throws UserErrorVmNotFoundV2, UserErrorVmNotShutDown, InvalidInput for disks that the VM has not, or smaller */
export async function refuseOriginal(
  workshop: Workshop,
  item: ItemRow,
  wanted: readonly RestoredDisk[],
): Promise<void> {
  const host = await workshop.estate.host(item.host_name);
  const machine = await host.getMachine(item.vm_uuid);
  if (machine.state !== 'shut off')
    throw new HoldfastError(
      'UserErrorVmNotShutDown',
      `'${machine.name}' is ${machine.state}: its disks can't be replaced.`,
      { target: machine.name },
    );
  for (const { target, sizeBytes } of wanted) {
    const disk = machine.disks.find((each) => each.target === target);
    if (disk !== undefined && (disk.sizeBytes ?? 0) >= sizeBytes) continue;
    throw new HoldfastError(
      'InvalidInput',
      disk === undefined
        ? `'${machine.name}' has no disk ${target} any more.`
        : `Disk ${target} of '${machine.name}' has ${disk.sizeBytes} bytes now, and ${sizeBytes} in the recovery point.`,
      { target: machine.name, action: 'Restore other disks, or a new VM beside it.' },
    );
  }
}

const excludedOf = (item: ItemRow) => JSON.parse(item.excluded_disks_json) as string[];

function pointBeforeOf({ payload }: JobContext<RestorePayload>): string {
  if (payload.pointBefore === undefined) throw new Error('a restore to the original has no point of before');
  return payload.pointBefore;
}
