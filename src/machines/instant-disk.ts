import { stat } from 'node:fs/promises';
import { HoldfastError } from '../errors/index.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { createOverlay, imageInfo } from './images/index.ts';
import { chainsOf, viewMachine } from './machine-view.ts';
import { planPoint } from './open-point.ts';
import { pullDisks } from './pull-disks.ts';

/**
 * An overlay over a frozen disk, for a VM to run from at once. It is noted in the ledger of the machine it comes
 * from, and as long as it stands on that machine's layers they are not merged.
 */
export async function createInstantDisk(
  host: HostContext,
  request: { machineUuid: string; pointId: string; target: string; path: string },
  signal?: AbortSignal,
): Promise<void> {
  const { machineUuid, pointId, target, path } = request;
  const disk = (await planPoint(host, { machineUuid, pointId }, signal)).find(
    (each) => each.target === target,
  );
  const [frozen] = disk?.whole ?? [];
  using pinned = disk && host.pins.pin(disk.whole.map((layer) => layer.path));
  if (frozen === undefined || pinned === undefined)
    throw new HoldfastError(
      'RecoveryPointNotOnHost',
      `Recovery point ${pointId} has no disk ${target} on the host.`,
      {
        target: pointId,
      },
    );
  const { virtualSizeBytes } = await imageInfo(frozen.path, {
    format: frozen.format,
    ...(signal && { signal }),
  });
  // Plain qcow2: QEMU 7.2 dies of a failed assertion when an overlay with extended L2 entries is flattened.
  await createOverlay(
    {
      path,
      backingPath: frozen.path,
      backingFormat: frozen.format,
      sizeBytes: virtualSizeBytes,
      extendedL2: false,
    },
    signal,
  );
  await host.step('instant disk created');
  const { dev, ino } = await stat(path, { bigint: true });
  const clone = { path, device: String(dev), inode: String(ino), pointId, target };
  await host.ledgers.update(machineUuid, (ledger) => ({ ...ledger, clones: [...ledger.clones, clone] }));
}

/**
 * Pulls into each disk what it still reads from the frozen layers of another machine, while the machine runs.
 * @throws UserErrorVmNotInDesirableState when it does not run, DiskMergeFailed
 */
export async function flattenMachine(
  host: HostContext,
  uuid: string,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal },
): Promise<void> {
  const view = await viewMachine(host, uuid, options.signal);
  if (!['running', 'paused'].includes(view.status.state))
    throw new HoldfastError(
      'UserErrorVmNotInDesirableState',
      `'${view.status.name}' is ${view.status.stateWord}; its disks can only be made independent while it runs.`,
      { target: uuid, action: 'Start the VM, then try again.' },
    );
  const borrowed = await foreignLayers(host, view.status.uuid);
  const chains = await chainsOf(view, options.signal);
  const leaning = [...chains].filter(([, chain]) => chain.slice(1).some(({ path }) => borrowed.has(path)));
  await pullDisks(
    host,
    view.status.uuid,
    new Map(leaning.map(([target, [top]]) => [target, top?.path ?? ''])),
    options,
  );
  await forgetIndependent(host, view.status.uuid, new Set(leaning.map(([target]) => target)));
}

/** All image files that some other machine's ledger counts on. */
async function foreignLayers(host: HostContext, uuid: string): Promise<Set<string>> {
  const layers = new Set<string>();
  for (const machine of await host.ledgers.machines()) {
    if (machine === uuid) continue;
    const ledger = await host.ledgers.read(machine);
    for (const path of ledger?.leftovers ?? []) layers.add(path);
    for (const { disks } of ledger?.points ?? [])
      for (const disk of disks) for (const path of [disk.frozen.path, disk.overlay]) layers.add(path);
  }
  return layers;
}

/** Takes the disks that now stand alone out of the ledgers they were noted in. */
async function forgetIndependent(
  host: HostContext,
  uuid: string,
  targets: ReadonlySet<string>,
): Promise<void> {
  const { disks } = describeDomain(await host.virsh.xml(uuid));
  const inodes = new Set<string>();
  for (const disk of disks) {
    if (!targets.has(disk.target) || disk.path === undefined) continue;
    const { dev, ino } = await stat(disk.path, { bigint: true });
    inodes.add(`${dev} ${ino}`);
  }
  for (const machine of await host.ledgers.machines()) {
    const clones = (await host.ledgers.read(machine))?.clones ?? [];
    if (!clones.some(({ device, inode }) => inodes.has(`${device} ${inode}`))) continue;
    await host.ledgers.update(machine, (ledger) => ({
      ...ledger,
      clones: ledger.clones.filter(({ device, inode }) => !inodes.has(`${device} ${inode}`)),
    }));
  }
}
