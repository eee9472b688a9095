import { HoldfastError } from '../errors/index.ts';
import { afterMerge, type MergeStep, touchedBy } from './chain-plan.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { imageUsers } from './image-users.ts';
import { commitImage, rebaseUnsafe } from './images/index.ts';
import type { ImageIdentity, LedgerDisk } from './ledger.ts';
import { chainOf, chainsOf, identify, type MachineView, sameIdentity, viewMachine } from './machine-view.ts';
import { deleteLeftovers, redefine } from './settle.ts';
import { isUncertain, reason } from './virsh.ts';

export interface MergeOptions {
  bandwidthBytesPerSecond?: number;
  signal?: AbortSignal;
}

/** A merge has to wait; nothing is wrong and nothing was changed. */
export class MergeMustWait extends Error {
  override readonly name = 'MergeMustWait';
}

/** libvirt's words for the two kinds of merges. */
const commit = 'Block Commit';
const activeCommit = 'Active Block Commit';

/** How long is waited between looks at a job: at first shortly, for layers of an hour are merged at once. */
const pollMs = { first: 20, most: 250 };
/** A job that gets nowhere for this long is given up; the next attempt starts again. */
const stallMs = 10 * 60_000;
/** How long an active merge may chase a guest that writes faster than it. */
const convergenceMs = 60 * 60_000;

type Doable = Extract<MergeStep, { kind: 'merge' | 'active' | 'done' | 'lost' }>;

/**
 * Does one step of a plan and writes down that it is done. Whatever cuts it short, planning again finds either the
 * same step, to be repeated with the same result, or `done`.
 * @throws MergeMustWait, DiskMergeFailed
 */
export async function mergeDisk(
  host: HostContext,
  view: MachineView,
  step: Doable,
  options: MergeOptions,
): Promise<void> {
  const { uuid } = view.status;
  if (step.kind === 'lost') {
    host.log.warn(
      { vm: uuid, path: step.disk.overlay },
      'a layer was taken out of its chain by someone else; it is kept',
    );
    await host.ledgers.update(uuid, (ledger) => afterMerge(ledger, step, {}, false));
    return;
  }
  if (step.kind !== 'done') {
    using merge = host.pins.beginMerge(step.disk.overlay, step.disk.frozen.path);
    if (merge === undefined)
      throw new MergeMustWait(`${step.disk.overlay} or the image below it is being read`);
    // In this order: from here on no clone of the image below can be begun, and those begun before are on record.
    await refuseUsed(host, step, uuid);
    await markMerging(host, uuid, step);
    await host.step('merging');
    if (view.active) await commitLive(host, uuid, step, options);
    else await commitOff(host, view, step, options);
    await host.step('merged');
  }
  await finish(host, uuid, step);
  await host.step('merge noted');
  await deleteLeftovers(host, uuid);
}

/** Clones that hang on the images, and other machines. */
async function refuseUsed(host: HostContext, step: MergeStep, uuid: string): Promise<void> {
  const users = await imageUsers(host, { except: uuid });
  for (const path of touchedBy(step.disk)) {
    const [other] = users.get(path) ?? [];
    if (other !== undefined) throw new MergeMustWait(`${other.name} stands on ${path}`);
  }
}

/** Writes down what the merge is going to change. One that was cut short keeps what was written at its start. */
async function markMerging(host: HostContext, uuid: string, step: Doable): Promise<void> {
  const above = step.kind === 'merge' ? step.above.path : undefined;
  const ledger = await host.ledgers.read(uuid);
  const frozen = ledger?.points
    .flatMap((point) => point.disks)
    .find((disk) => disk.frozen.path === above)?.frozen;
  const isIntact = async (identity: ImageIdentity) => sameIdentity(identity, await identify(identity));
  const mark = {
    intact: await isIntact(step.disk.frozen),
    ...(frozen !== undefined && (await isIntact(frozen)) && { above: frozen.path }),
  };
  const marked = (disk: LedgerDisk) =>
    disk.target === step.target ? { ...disk, merging: disk.merging ?? mark } : disk;
  await host.ledgers.update(uuid, (now) => ({
    ...now,
    points: now.points.map((point) =>
      point.pointId === step.pointId ? { ...point, disks: point.disks.map(marked) } : point,
    ),
  }));
}

/** The merge inside a running (or paused) QEMU, as a libvirt block job. */
async function commitLive(
  host: HostContext,
  uuid: string,
  step: Doable,
  options: MergeOptions,
): Promise<void> {
  const { target, disk } = step;
  const active = step.kind === 'active';
  const running = await host.virsh.blockJob(uuid, target);
  const isOurs = disk.merging !== undefined && running?.type === (active ? activeCommit : commit);
  if (running !== undefined && !isOurs)
    throw new MergeMustWait(`disk ${target} has a block job of someone else (${running.type})`);
  if (running === undefined) {
    const rate = Math.floor(options.bandwidthBytesPerSecond ?? 0);
    const limit = rate > 0 ? ['--bandwidth', String(rate), '--bytes'] : [];
    const images = ['--base', disk.frozen.path, '--top', disk.overlay];
    try {
      await host.virsh.call([
        'blockcommit',
        uuid,
        target,
        ...images,
        ...limit,
        ...(active ? ['--active'] : []),
      ]);
    } catch (error) {
      if (isUncertain(error)) throw error;
      if (/Failed to get .*lock/.test(reason(error)))
        throw new MergeMustWait(`another program has ${disk.frozen.path} open`);
      throw failed(step, reason(error), error);
    }
    await host.step('merge started');
  }
  await waitForJob(host, uuid, step, active, options.signal);
}

async function waitForJob(
  host: HostContext,
  uuid: string,
  { target, disk }: Doable,
  active: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const started = host.clock.monotonicMs();
  let moved = started;
  let last = -1;
  for (let pauseMs = pollMs.first; ; pauseMs = Math.min(2 * pauseMs, pollMs.most)) {
    const job = await host.virsh.blockJob(uuid, target);
    if (job === undefined) return; // whether it succeeded, the chain tells
    const now = host.clock.monotonicMs();
    if (job.cur !== last) [last, moved] = [job.cur, now];
    if (active && job.end > 0 && job.cur === job.end) {
      if (await pivot(host, uuid, target)) return;
    } else if (now - moved > stallMs || (active && now - started > convergenceMs)) {
      await host.virsh.abortBlockJob(uuid, target);
      const why = active ? 'the guest writes faster than it can be merged' : 'the merge made no progress';
      throw new HoldfastError('DiskMergeFailed', `${disk.overlay} could not be merged: ${why}.`, {
        target: disk.overlay,
      });
    }
    try {
      await host.clock.sleep(pauseMs, signal);
    } catch (error) {
      await host.virsh.abortBlockJob(uuid, target);
      throw error;
    }
  }
}

/** @returns false while the job is not ready for it after all */
async function pivot(host: HostContext, uuid: string, target: string): Promise<boolean> {
  try {
    await host.virsh.call(['blockjob', uuid, target, '--pivot']);
    return true;
  } catch (error) {
    if (/not ready for pivot/.test(reason(error))) return false;
    throw error;
  }
}

/**
 * The merge of a machine that is off: content, then the header of the layer above, then the definition. A machine
 * that is started in between finds a chain that reads the same, with or without the merged layer in it.
 */
async function commitOff(
  host: HostContext,
  view: MachineView,
  step: Doable,
  options: MergeOptions,
): Promise<void> {
  if (step.kind !== 'merge' && step.kind !== 'active') return;
  if (view.status.managedSave) throw new MergeMustWait(`'${view.status.name}' has a managed save image`);
  const { layers } = step;
  const rate = options.bandwidthBytesPerSecond;
  await commitImage({ layers, ...(rate !== undefined && { bandwidthBytesPerSecond: rate }) }, options.signal);
  await host.step('content merged');
  const below = layers.slice(1);
  if (step.kind === 'merge') {
    const [backing] = below;
    await rebaseUnsafe({ path: step.above.path, backing }, options.signal);
    await host.step('header changed');
  }
  const now = await viewMachine(host, view.status.uuid);
  await dropFromPersistent(host, now, step);
}

/** Takes the merged layer out of the chain that the persistent definition lists, if it is listed. */
async function dropFromPersistent(host: HostContext, view: MachineView, step: Doable): Promise<void> {
  const disk = describeDomain(view.inactiveXml).disks.find((each) => each.target === step.target);
  if (disk === undefined || !disk.chain.some((link) => link.path === step.disk.overlay)) return;
  // The whole chain: the definition may list less of it than there is, and what is written must not cut it short.
  const chain = (await chainOf(disk)).filter((layer) => layer.path !== step.disk.overlay);
  await redefine(host, view.inactiveXml, new Map([[step.target, chain]]));
}

/** Checks both definitions, and only then forgets the layer and lets its file be deleted. */
async function finish(host: HostContext, uuid: string, step: Doable): Promise<void> {
  const view = await viewMachine(host, uuid);
  const live = (await chainsOf(view)).get(step.target);
  if (live?.some((layer) => layer.path === step.disk.overlay))
    throw failed(step, 'the job ended and the layer is still in use', undefined);
  await dropFromPersistent(host, view, step);
  const disks = (await host.ledgers.read(uuid))?.points.flatMap((point) => point.disks) ?? [];
  const { overlay } = step.disk;
  const mark = disks.find((disk) => disk.overlay === overlay)?.merging;
  const above = disks.find((disk) => disk.frozen.path === mark?.above)?.frozen;
  const merged = await identify(step.disk.frozen);
  const fresh = {
    // What somebody had changed before must not look sound because we merged into it.
    merged:
      merged && (mark?.intact === false ? { ...merged, modifiedNs: 'changed before the merge' } : merged),
    above: above && (await identify(above)),
  };
  await host.ledgers.update(uuid, (ledger) => afterMerge(ledger, step, fresh, true));
}

function failed(step: Doable, why: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'DiskMergeFailed',
    `${step.disk.overlay} could not be merged into ${step.disk.frozen.path}: ${why}.`,
    { target: step.disk.overlay, ...(cause !== undefined && { cause }) },
  );
}
