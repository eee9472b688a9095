import type { ItemRow } from '../catalog/index.ts';
import { type ErrorCode, errorCatalogue, isHoldfastError } from '../errors/index.ts';
import { crashConsistentObstacle, type FrozenPoint, type TakePointRequest } from '../machines/index.ts';
import type { BackupPayload } from './backup-payload.ts';
import type { JobContext } from './job-context.ts';
import { policyOf } from './policies.ts';
import type { Workshop } from './workshop.ts';

/** What failed of a snapshot that could succeed when the guest is not asked to freeze. */
const worthNoFreeze: readonly ErrorCode[] = [
  'UserErrorCrpReportedUserError',
  'GuestAgentSnapshotTaskStatusError',
  'UserErrorFsFreezeFailed',
  'UserErrorUnableToOpenMount',
  'ExtensionFailedVssWriterInBadState',
];

/**
 * Has the host freeze a point of the item, with the consistency that its policy wants. Tries once more when that may
 * help; without freezing the guest, where the freeze may have been the reason and the VM can have such points.
 */
export async function takeSnapshotPoint(
  workshop: Workshop,
  context: JobContext<BackupPayload>,
  item: ItemRow,
): Promise<FrozenPoint> {
  const policy = policyOf(item);
  const excludedDisks = JSON.parse(item.excluded_disks_json) as string[];
  const take = async (consistency: TakePointRequest['consistency']) => {
    const host = await workshop.estate.host(item.host_name);
    using _place = await workshop.snapshots.enter(context.signal, {
      names: [item.host_name],
      ahead: context.payload.onDemand !== undefined,
    });
    const { pointId } = context.payload;
    // Awaited here: the place is kept until it is over.
    return await host.takePoint(
      { machineUuid: item.vm_uuid, pointId, excludedDisks, consistency },
      context.signal,
    );
  };
  const wanted =
    policy?.snapshotConsistencyType === 'OnlyCrashConsistent' ? 'crash' : 'application-or-file-system';
  try {
    return await take(wanted);
  } catch (error) {
    if (!isHoldfastError(error) || !error.retryable) throw error;
    // What the whole job is tried again for needs no try of its own, unless that is to do without the freeze.
    if (context.willRetry(error) && !worthNoFreeze.includes(error.code)) throw error;
    workshop.log.warn({ jobId: context.jobId, err: error }, 'snapshot refused, one retry');
    await workshop.clock.sleep(workshop.snapshotRetryDelayMs, context.signal);
    if (wanted === 'crash' || !worthNoFreeze.includes(error.code)) return take(wanted);
    const host = await workshop.estate.host(item.host_name);
    const { disks } = await host.getMachine(item.vm_uuid, context.signal);
    if (crashConsistentObstacle(disks, excludedDisks) !== undefined) return take(wanted);
    const frozen = await take('crash');
    // the first attempt may have succeeded, and only its answer was lost
    if (frozen.consistency !== 'crash' || frozen.consistencyReason !== undefined) return frozen;
    return {
      ...frozen,
      consistencyReason: `The snapshot failed at first (${error.message}) and was taken again without freezing the guest.`,
      consistencyCode: error.code,
    };
  }
}

/** What a backup job tells of the consistency of its point: what it is, why not better, and what to do about it. */
export function consistencyProperties(frozen: FrozenPoint): Record<string, string> {
  const { consistency, consistencyReason, consistencyCode, frozenMs } = frozen;
  return {
    Consistency: consistency,
    ...(consistencyReason !== undefined && { 'Consistency reason': consistencyReason }),
    ...(consistencyCode !== undefined && {
      'Consistency code': consistencyCode,
      'Recommended action': errorCatalogue[consistencyCode].action,
    }),
    'Frozen for': `${frozenMs} ms`,
  };
}
