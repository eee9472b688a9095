import { isHoldfastError } from '../errors/index.ts';
import { unlinkDurable } from '../platform/index.ts';
import { describeDomain, replaceChains } from './domain-xml.ts';
import { thaw } from './guest-agent.ts';
import type { HostContext } from './host-context.ts';
import { imageUsers } from './image-users.ts';
import type { ImageLayer } from './images/index.ts';
import type { TakeIntent } from './ledger.ts';
import { collectDefinition } from './machine-definition.ts';
import { chainsOf, type MachineView, sourcesOf, viewMachine } from './machine-view.ts';
import { recordPoint } from './record-point.ts';

/**
 * Bringing a machine's ledger and its reality together after something was cut short. Everything here may be cut
 * short again, and repeated.
 */

/** What became of an interrupted point. `undecided`: the disks are in a state that only a person can judge. */
export type TakeOutcome = 'none' | 'withdrawn' | 'recorded' | 'undecided';

export function isWithdrawn(outcome: TakeOutcome): boolean {
  return outcome === 'none' || outcome === 'withdrawn';
}

/** Thaws what may be frozen, finishes or takes back an interrupted point, deletes what is due for deletion. */
export async function settleMachine(host: HostContext, uuid: string): Promise<string[]> {
  const actions: string[] = [];
  const ledger = await host.ledgers.read(uuid);
  if (ledger === undefined) return actions;
  const name = ledger.machineName;
  if (ledger.thawOwed && (await settleThaw(host, uuid)))
    actions.push(`Made sure that the guest of '${name}' is not frozen.`);
  const { intent } = ledger;
  if (intent !== undefined) {
    const outcome = await settleTake(host, uuid);
    const what = {
      none: undefined,
      withdrawn: `Took back the interrupted recovery point ${intent.pointId} of '${name}'.`,
      recorded: `Finished the interrupted recovery point ${intent.pointId} of '${name}'; it is crash-consistent.`,
      undecided: `Can't tell what became of the interrupted recovery point ${intent.pointId} of '${name}': its disks are neither as before nor as after. Shut the VM down and start it again.`,
    }[outcome];
    if (what !== undefined) actions.push(what);
  }
  for (const path of await deleteLeftovers(host, uuid)) actions.push(`Deleted the merged layer ${path}.`);
  return actions;
}

/** @returns whether nothing is frozen any more. If not, an alert has been raised, and it is tried again and again. */
export async function settleThaw(host: HostContext, uuid: string): Promise<boolean> {
  const { name, failure } = await tryThaw(host, uuid);
  if (failure === undefined) {
    host.thaws.release(uuid);
    return true;
  }
  host.thaws.keep(uuid);
  const message = `The file systems of '${name}' may still be frozen: ${failure}.`;
  host.log.error({ vm: uuid }, message);
  host.alert({ code: 'UserErrorGuestNotThawed', machineUuid: uuid, message });
  return false;
}

/** One try to thaw a guest, noted when it is confirmed. `failure`: why it is not. */
export async function tryThaw(
  host: Pick<HostContext, 'virsh' | 'ledgers'>,
  uuid: string,
  signal?: AbortSignal,
): Promise<{ name: string; failure: string | undefined }> {
  const { name, state } = await host.virsh.status(uuid, signal);
  if (state === 'running' || state === 'paused' || state === 'other') {
    const { confirmed, failure = 'its agent does not say' } = await thaw(host.virsh, uuid, { signal });
    if (!confirmed) return { name, failure };
  }
  await host.ledgers.update(uuid, (ledger) => ({ ...ledger, thawOwed: false }));
  return { name, failure: undefined };
}

/** Looks at the definition, live and persistent, and finishes or takes back the point that was being taken. */
export async function settleTake(host: HostContext, uuid: string): Promise<TakeOutcome> {
  const intent = (await host.ledgers.read(uuid))?.intent;
  if (intent === undefined) return 'none';
  const view = await viewMachine(host, uuid);
  const persistent = describeDomain(view.inactiveXml);
  const now = whereOverlaysAre(intent, view.domain.disks);
  const next = view.active ? whereOverlaysAre(intent, persistent.disks) : now;

  if (now === 'none') {
    if (view.active && (await isWrittenUnknown(host, view, intent))) {
      await bootFromOverlays(host, view, intent);
      return 'undecided';
    }
    if (next !== 'none') await pointPersistentTo(host, view, intent, 'frozen');
    await removeOverlays(host, view, intent);
    return 'withdrawn';
  }
  if (now === 'on top') {
    if (next === 'none') await pointPersistentTo(host, view, intent, 'overlay');
    await finishPoint(host, view, intent);
    return 'recorded';
  }
  return 'undecided';
}

function whereOverlaysAre(
  intent: TakeIntent,
  disks: MachineView['domain']['disks'],
): 'on top' | 'none' | 'mixed' {
  const mine = intent.disks.map(({ target, overlay }) => {
    const chain = disks.find((disk) => disk.target === target)?.chain ?? [];
    return chain.findIndex((link) => link.path === overlay);
  });
  if (mine.every((at) => at === 0)) return 'on top';
  return mine.every((at) => at < 0) ? 'none' : 'mixed';
}

/**
 * Makes the persistent definition agree with the running one. They differ where the machine was started while its
 * definition was being changed, or libvirt died between the two.
 */
async function pointPersistentTo(
  host: HostContext,
  view: MachineView,
  intent: TakeIntent,
  top: 'overlay' | 'frozen',
): Promise<void> {
  const live = await chainsOf(view);
  const persistent = describeDomain(view.inactiveXml).disks;
  const wrong = new Map<string, ImageLayer[]>();
  for (const { target, overlay, frozen } of intent.disks) {
    const path = persistent.find((disk) => disk.target === target)?.path;
    const chain = live.get(target);
    if (chain !== undefined && path === (top === 'overlay' ? frozen.path : overlay)) wrong.set(target, chain);
  }
  await redefine(host, view.inactiveXml, wrong);
}

/** Gives the persistent definition these chains. */
export async function redefine(
  host: HostContext,
  inactiveXml: string,
  chains: ReadonlyMap<string, readonly ImageLayer[]>,
): Promise<void> {
  if (chains.size === 0) return;
  const sources = new Map(
    await Promise.all([...chains].map(async ([target, chain]) => [target, await sourcesOf(chain)] as const)),
  );
  await host.virsh.define(replaceChains(inactiveXml, sources));
}

/** libvirt may have died after QEMU switched and before it wrote that down; then QEMU alone knows. */
async function isWrittenUnknown(host: HostContext, view: MachineView, intent: TakeIntent): Promise<boolean> {
  const open = await host.virsh.openImages(view.status.uuid);
  return intent.disks.some(({ overlay }) => open.has(overlay));
}

async function removeOverlays(host: HostContext, view: MachineView, intent: TakeIntent): Promise<void> {
  for (const { overlay } of intent.disks) await unlinkDurable(overlay);
  await host.ledgers.deletePoint(view.status.uuid, intent.pointId);
  await host.ledgers.update(view.status.uuid, (ledger) => ({ ...ledger, intent: undefined }));
}

async function finishPoint(host: HostContext, view: MachineView, intent: TakeIntent): Promise<void> {
  const { uuid } = view.status;
  const saved = await host.ledgers.readPoint(uuid, intent.pointId);
  await recordPoint(host, view, intent, {
    consistency: saved?.consistency ?? 'crash',
    consistencyReason: saved ? saved.consistencyReason : 'Holdfast was interrupted while it took this point.',
    ...(saved?.consistencyCode && { consistencyCode: saved.consistencyCode }),
    frozenMs: saved?.frozenMs ?? 0,
    definition: saved?.definition ?? (await collectDefinition(host, view, intent)),
    excludedDisks:
      saved?.excludedDisks ??
      view.domain.disks
        .filter(
          (disk) => disk.device === 'disk' && !intent.disks.some(({ target }) => target === disk.target),
        )
        .map((disk) => disk.target),
  });
}

/**
 * For a QEMU that writes to overlays of which libvirt knows nothing: its next start has to find what it wrote. From
 * then on libvirt knows, and the point can be finished.
 */
async function bootFromOverlays(host: HostContext, view: MachineView, intent: TakeIntent): Promise<void> {
  const live = await chainsOf(view);
  const persistent = describeDomain(view.inactiveXml).disks;
  const chains = new Map<string, ImageLayer[]>();
  for (const { target, overlay, frozen } of intent.disks) {
    if (persistent.find((disk) => disk.target === target)?.path !== frozen.path) continue;
    chains.set(target, [{ path: overlay, format: 'qcow2' }, ...(live.get(target) ?? [])]);
  }
  await redefine(host, view.inactiveXml, chains);
  host.log.error(
    { vm: view.status.uuid },
    `libvirt lost track of the images that '${view.status.name}' runs on; shut the VM down and start it again`,
  );
}

/** Deletes merged overlays that nothing refers to any more. @returns those deleted */
export async function deleteLeftovers(host: HostContext, uuid: string): Promise<string[]> {
  const leftovers = (await host.ledgers.read(uuid))?.leftovers ?? [];
  if (leftovers.length === 0) return [];
  const users = await imageUsers(host);
  const deleted: string[] = [];
  for (const path of leftovers) {
    const user = users.get(path)?.[0];
    if (user !== undefined || host.pins.isPinned(path)) {
      host.log.info({ path, user }, 'a merged layer stays until nobody uses it');
      continue;
    }
    await unlinkDurable(path);
    deleted.push(path);
  }
  if (deleted.length > 0)
    await host.ledgers.update(uuid, (ledger) => ({
      ...ledger,
      leftovers: ledger.leftovers.filter((path) => !deleted.includes(path)),
    }));
  return deleted;
}

/** Ends a block job that a process of ours started before it died; merges begin again where they were. */
export async function stopOwnBlockJobs(host: HostContext, uuid: string): Promise<void> {
  const ledger = await host.ledgers.read(uuid);
  const merging = new Set(
    ledger?.points.flatMap((point) => point.disks.filter((disk) => disk.merging).map((disk) => disk.target)),
  );
  if (merging.size === 0 || (await host.virsh.status(uuid)).state === 'shut off') return;
  for (const target of merging) {
    const job = await host.virsh.blockJob(uuid, target);
    if (job?.type.endsWith('Block Commit')) await host.virsh.abortBlockJob(uuid, target);
  }
}

/** True when the machine no longer exists on the host. */
export async function isGone(host: HostContext, uuid: string): Promise<boolean> {
  try {
    await host.virsh.status(uuid);
    return false;
  } catch (error) {
    if (isHoldfastError(error, 'UserErrorVmNotFoundV2')) return true;
    throw error;
  }
}
