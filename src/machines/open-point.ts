import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { type DiskPlan, entriesOf, planRead } from './chain-plan.ts';
import type { HostContext } from './host-context.ts';
import { type ImageLayer, imageChain, type OpenDiskReader, readerForPoint } from './images/index.ts';
import type { Ledger } from './ledger.ts';
import { chainsOf, findChanged, viewMachine } from './machine-view.ts';
import type { FrozenPointReader, OpenPointRequest } from './types.ts';

/** Every disk of a point with the layers it is read from. */
export type PointPlan = {
  target: string;
  plan: Extract<DiskPlan, { readable: true }>;
  whole: ImageLayer[];
  /** No merge of the disk's layers is under way, not even one that QEMU goes on with after a restart of ours. */
  settled: boolean;
}[];

/**
 * Decides from the chains as they are now how each disk of the point is read. Of a machine that is gone, the images'
 * own headers tell the chains: its points stay readable as long as nobody touched their files.
 * @throws RecoveryPointNotOnHost
 */
export async function planPoint(
  host: HostContext,
  request: OpenPointRequest,
  signal?: AbortSignal,
): Promise<PointPlan> {
  const { machineUuid, pointId, since } = request;
  const ledger = await host.ledgers.read(machineUuid);
  const point = ledger?.points.find((each) => each.pointId === pointId);
  if (ledger === undefined || point === undefined) throw notOnHost(pointId, 'the host has no layers of it');
  const changed = await findChanged(ledger.points.flatMap((each) => each.disks.map((disk) => disk.frozen)));
  const chains = await currentChains(host, ledger, pointId, signal);
  return point.disks.map(({ target }) => {
    const chain = chains.get(target) ?? [];
    const plan = planRead({ ledger, target, pointId, since }, chain, changed);
    if (!plan.readable) throw notOnHost(pointId, `disk ${target}: ${plan.reason}`);
    const whole = planRead({ ledger, target, pointId, since: undefined }, chain, changed);
    const settled = entriesOf(ledger, target).every(({ disk }) => disk.merging === undefined);
    return { target, plan, whole: whole.readable ? whole.layers : [], settled };
  });
}

async function currentChains(
  host: HostContext,
  ledger: Ledger,
  pointId: string,
  signal?: AbortSignal,
): Promise<Map<string, ImageLayer[]>> {
  try {
    return await chainsOf(await viewMachine(host, ledger.machineUuid, signal), signal);
  } catch (error) {
    if (!isHoldfastError(error, 'UserErrorVmNotFoundV2')) throw error;
  }
  const chains = new Map<string, ImageLayer[]>();
  for (const { target } of ledger.points.find((point) => point.pointId === pointId)?.disks ?? []) {
    const frozen = entriesOf(ledger, target).find(({ point }) => point.pointId === pointId)?.disk.frozen;
    if (frozen === undefined) continue;
    try {
      chains.set(target, await imageChain(frozen.path, { format: frozen.format, ...(signal && { signal }) }));
    } catch (error) {
      if (!isHoldfastError(error, 'DiskImageNotFound')) throw error; // gone with the machine
    }
  }
  return chains;
}

function notOnHost(pointId: string, why: string): HoldfastError {
  return new HoldfastError(
    'RecoveryPointNotOnHost',
    `Recovery point ${pointId} can't be read from the host: ${why}.`,
    {
      target: pointId,
    },
  );
}

/** @throws RecoveryPointNotOnHost */
export async function openPoint(
  host: HostContext,
  request: OpenPointRequest,
  signal?: AbortSignal,
): Promise<FrozenPointReader> {
  try {
    return await openOnce(host, request, signal);
  } catch (error) {
    // A merge that began before us may delete its layer between our look at the chain and the opening.
    if (!isHoldfastError(error, 'DiskImageNotFound')) throw error;
    return await openOnce(host, request, signal);
  }
}

async function openOnce(
  host: HostContext,
  request: OpenPointRequest,
  signal?: AbortSignal,
): Promise<FrozenPointReader> {
  const disks = await planPoint(host, request, signal);
  await using opened = new AsyncDisposableStack();
  const settled = new Set<string>();
  for (const disk of disks) {
    const paths = disk.whole.map((layer) => layer.path);
    // The base of a delta is pinned too: a merge into it would not harm this reader, but would take away the boundary.
    const pinned = host.pins.pin(paths);
    if (pinned === undefined) throw notOnHost(request.pointId, 'it was given up and is being merged');
    opened.use(pinned);
    // A merge that has begun by now goes on below us; one that has not waits until we are done.
    if (disk.settled && !paths.some((path) => host.pins.isMerging(path))) settled.add(disk.target);
  }
  const readers: OpenDiskReader[] = [];
  for (const { target, plan } of disks) {
    const request = { target, layers: plan.layers, basis: plan.basis, settled: settled.has(target) };
    readers.push(opened.use(await readerForPoint(request, signal)));
  }
  const held = opened.move();
  return { disks: readers, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
