import { stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { isPointId, overlayName } from './chain-plan.ts';
import { type Agreed, crashConsistent, withAgreedConsistency } from './consistency.ts';
import { type DiskXml, snapshotXml } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { createOverlay, type ImageLayer, imageInfo } from './images/index.ts';
import type { Ledger, TakeIntent } from './ledger.ts';
import { collectDefinition } from './machine-definition.ts';
import { chainOf, identify, type MachineView, viewMachine } from './machine-view.ts';
import { includedDisks } from './obstacles.ts';
import { recordPoint } from './record-point.ts';
import { fillOverlays, type Replacement, refuseReplacing, stillAsItWas } from './replace-disks.ts';
import { isWithdrawn, settleMachine, settleTake, stopOwnBlockJobs } from './settle.ts';
import { findObstacles } from './survey.ts';
import { switchOffMachine } from './switch-off.ts';
import type { FrozenPoint, TakePointRequest } from './types.ts';
import { isUncertain, reason } from './virsh.ts';

/** Longer than libvirt's own 30 s wait for a locked domain, so that its refusal arrives before our limit. */
const snapshotTimeoutMs = 45_000;

/**
 * Freezes all included disks at one moment. Asking again for a point that exists returns it: a job that lost its
 * answer may repeat its question.
 * @param replacement what disks of a machine that is off get to show from then on, instead of what they had
 */
export async function takePoint(
  host: HostContext,
  request: TakePointRequest,
  signal?: AbortSignal,
  replacement?: Replacement,
): Promise<FrozenPoint> {
  if (!isPointId(request.pointId))
    throw new TypeError(`'${request.pointId}' is no point id: letters, digits and hyphens, at most 100`);
  await settleMachine(host, request.machineUuid);
  await stopOwnBlockJobs(host, request.machineUuid);
  let view = await viewMachine(host, request.machineUuid, signal);
  const uuid = view.status.uuid;
  const known = await host.ledgers.read(uuid);
  if (known?.intent !== undefined)
    throw new HoldfastError(
      'UserErrorVmNotInDesirableState',
      `What became of the interrupted point ${known.intent.pointId} of '${view.status.name}' can't be told yet.`,
      { target: uuid },
    );
  if (known?.points.some((point) => point.pointId === request.pointId)) {
    const saved = await host.ledgers.readPoint(uuid, request.pointId);
    if (saved !== undefined) return saved;
    throw new HoldfastError(
      'RecoveryPointNotOnHost',
      `Point ${request.pointId} was taken and given up before.`,
      {
        target: request.pointId,
      },
    );
  }
  if (replacement !== undefined) refuseReplacing(view, replacement, request.excludedDisks);
  await refuseObstacles(host, view, request.excludedDisks, signal);
  const disks = includedDisks(view.domain, request.excludedDisks);
  const intent: TakeIntent = {
    kind: 'take',
    pointId: request.pointId,
    step: 'intended',
    startedAt: host.clock.now().toString(),
    off: !view.active,
    disks: await planDisks(host, known, view, disks, request.pointId, signal),
  };
  await refuseFullStorage(host, intent);
  signal?.throwIfAborted();

  await host.ledgers.update(uuid, (ledger) => ({
    ...ledger,
    machineName: view.status.name,
    releasing: false,
    intent,
  }));
  try {
    await host.step('intended');
    await createOverlays(intent, disks, signal);
    await host.ledgers.update(uuid, (ledger) => ({ ...ledger, intent: { ...intent, step: 'created' } }));
    await host.step('created');
    if (replacement !== undefined) {
      await fillOverlays(view, intent, replacement, signal);
      await host.step('filled');
      view = await stillAsItWas(host, view, intent);
    }
    const definition = await collectDefinition(host, view, intent);
    signal?.throwIfAborted();
    const agreed = view.active
      ? await withAgreedConsistency(host, view, request, () => snapshotRunning(host, view, intent))
      : await switchOff(host, view, intent, request.consistency);
    await host.step('switched');
    return await recordPoint(host, view, intent, {
      ...agreed,
      definition,
      excludedDisks: request.excludedDisks,
    });
  } catch (error) {
    await withdraw(host, uuid, error);
    throw error;
  }
}

/** Takes back what was begun. Where the host can't be asked, the journal keeps it for the next settling. */
async function withdraw(host: HostContext, uuid: string, cause: unknown): Promise<void> {
  try {
    const left = await settleTake(host, uuid);
    if (!isWithdrawn(left))
      host.log.warn(
        { vm: uuid, found: left, err: cause },
        'a failed recovery point could not be withdrawn yet',
      );
  } catch (error) {
    host.log.error(
      { vm: uuid, err: error },
      'a failed recovery point is withdrawn when the host answers again',
    );
  }
}

async function refuseObstacles(
  host: HostContext,
  view: MachineView,
  excludedDisks: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const [first, ...others] = await findObstacles(host, view, excludedDisks, signal);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new HoldfastError(first.code, `${first.message}${more}`, {
    target: view.status.uuid,
    action: first.action,
  });
}

async function planDisks(
  host: HostContext,
  ledger: Ledger | undefined,
  view: MachineView,
  disks: readonly DiskXml[],
  pointId: string,
  signal?: AbortSignal,
): Promise<TakeIntent['disks']> {
  const ours = new Set(ledger?.points.flatMap((point) => point.disks.map((disk) => disk.overlay)));
  return Promise.all(
    disks.map(async (disk) => {
      const chain = await chainOf(disk, signal);
      const [top] = chain;
      const frozen = top && (await identify(top));
      if (top === undefined || frozen === undefined)
        throw new HoldfastError('DiskImageNotFound', `Disk ${disk.target} has no image at ${disk.path}.`);
      const info = await imageInfo(top.path, { format: top.format, ...(signal && { signal }) });
      const name = overlayName(disk.target, view.status.uuid, pointId);
      const overlay = join(overlayDirectory(host, disk, top), name);
      // From the intent on, what has this name is ours to delete.
      if ((await identify({ path: overlay, format: 'qcow2' })) !== undefined)
        throw new HoldfastError('DiskImageExists', `${overlay} exists already.`, { target: overlay });
      return {
        target: disk.target,
        sizeBytes: info.virtualSizeBytes,
        originalFormat: chain.find((layer) => !ours.has(layer.path))?.format ?? top.format,
        frozen,
        overlay,
      };
    }),
  );
}

function overlayDirectory(host: HostContext, disk: DiskXml, top: ImageLayer): string {
  if (disk.type === 'file') return dirname(top.path);
  if (host.overlayDirectory !== undefined) return host.overlayDirectory;
  throw new Error(`no directory for the layers of block device ${top.path}`); // an obstacle says so before
}

/** @throws UserErrorHostStorageFull */
async function refuseFullStorage(host: HostContext, intent: TakeIntent): Promise<void> {
  for (const directory of new Set(intent.disks.map((disk) => dirname(disk.overlay)))) {
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    if (free >= host.minimumFreeBytes) continue;
    throw new HoldfastError(
      'UserErrorHostStorageFull',
      `The file system of ${directory} has ${free} bytes free; a recovery point needs at least ${host.minimumFreeBytes}.`,
      { target: directory },
    );
  }
}

async function createOverlays(
  intent: TakeIntent,
  disks: readonly DiskXml[],
  signal?: AbortSignal,
): Promise<void> {
  for (const { overlay, frozen, sizeBytes, target } of intent.disks) {
    // An unprivileged QEMU has to open it; a block device's owner says nothing about QEMU, its directory's does.
    const isFile = disks.some((disk) => disk.target === target && disk.type === 'file');
    const owner = isFile ? await stat(frozen.path) : undefined;
    await createOverlay(
      {
        path: overlay,
        backingPath: frozen.path,
        backingFormat: frozen.format,
        sizeBytes,
        extendedL2: true,
        ...(owner && { owner: { uid: owner.uid, gid: owner.gid } }),
      },
      signal,
    );
  }
}

/**
 * One atomic snapshot. When libvirt's answer is a failure, or does not come, the definition is asked which of the two
 * happened.
 * @throws UserErrorCrpReportedUserError when the disks are as before
 */
async function snapshotRunning(host: HostContext, view: MachineView, intent: TakeIntent): Promise<void> {
  const { uuid } = view.status;
  const included = new Set(intent.disks.map((disk) => disk.target));
  const others = view.domain.disks.map((disk) => disk.target).filter((target) => !included.has(target));
  const overlays = intent.disks.map((disk) => ({ target: disk.target, path: disk.overlay }));
  try {
    await host.virsh.snapshot(uuid, snapshotXml(overlays, others), snapshotTimeoutMs);
  } catch (error) {
    const tops = new Map(
      (await viewMachine(host, uuid)).domain.disks.map((disk) => [disk.target, disk.path]),
    );
    if (overlays.every(({ target, path }) => tops.get(target) === path)) return;
    if (isHoldfastError(error)) throw error;
    const doubt = isUncertain(error) ? 'did not answer in time' : 'refused the snapshot';
    throw new HoldfastError(
      'UserErrorCrpReportedUserError',
      `libvirt ${doubt} of '${view.status.name}': ${reason(error)}.`,
      { cause: error, target: uuid },
    );
  }
}

async function switchOff(
  host: HostContext,
  view: MachineView,
  intent: TakeIntent,
  wanted: TakePointRequest['consistency'],
): Promise<Agreed> {
  await switchOffMachine(host, view, intent);
  // As the model has it: the disks of a machine that is off are what a crash would have left, if that.
  return crashConsistent(
    wanted === 'crash' ? undefined : { code: 'AzureVmOffline', message: `'${view.status.name}' is off.` },
  );
}
