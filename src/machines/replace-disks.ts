import { HoldfastError } from '../errors/index.ts';
import type { HostContext } from './host-context.ts';
import { openOverlayTarget } from './images/index.ts';
import type { TakeIntent } from './ledger.ts';
import { chainsOf, type MachineView, viewMachine } from './machine-view.ts';
import { includedDisks } from './obstacles.ts';
import type { DiskTarget, ReplaceDisksRequest } from './types.ts';

/**
 * Disks with other content are a recovery point whose overlays are filled before they are put on top: below them is what
 * the machine had, and all that holds for taking a point, in the journal, too, holds here.
 */
export type Replacement = Pick<ReplaceDisksRequest, 'replaced' | 'fill'>;

/** @throws UserErrorVmNotShutDown, InvalidInput */
export function refuseReplacing(
  view: MachineView,
  { replaced }: Replacement,
  excludedDisks: readonly string[],
): void {
  if (view.active) throw notShutDown(view, 'runs');
  const has = includedDisks(view.domain, excludedDisks).map(({ target }) => target);
  const unknown = replaced.filter((target) => !has.includes(target));
  if (unknown.length > 0)
    throw new HoldfastError(
      'InvalidInput',
      `'${view.status.name}' has no disk ${unknown.join(', ')} that could be replaced; it has ${has.join(', ')}.`,
      { target: view.status.uuid },
    );
}

/** Has the overlays filled. While one is open, QEMU's locks keep the machine from being started on what is below it. */
export async function fillOverlays(
  view: MachineView,
  intent: TakeIntent,
  { replaced, fill }: Replacement,
  signal: AbortSignal | undefined,
): Promise<void> {
  const chains = await chainsOf(view, signal);
  const left = new Set(replaced);
  const open = async (target: string): Promise<DiskTarget> => {
    const disk = intent.disks.find((each) => each.target === target);
    if (disk === undefined || !left.delete(target)) throw new TypeError(`disk ${target} is not to be filled`);
    const overlay = { path: disk.overlay, format: 'qcow2' as const };
    return openOverlayTarget([overlay, ...(chains.get(target) ?? [])], disk.sizeBytes, signal);
  };
  await fill(open);
  if (left.size > 0) throw new Error(`nobody has filled ${[...left].join(', ')}`);
}

/**
 * The machine as it is now, since filling may have taken hours: what was edited in its definition meanwhile is kept.
 * @throws UserErrorVmNotShutDown, UserErrorVmNotInDesirableState
 */
export async function stillAsItWas(
  host: HostContext,
  before: MachineView,
  intent: TakeIntent,
): Promise<MachineView> {
  const view = await viewMachine(host, before.status.uuid);
  // A saved memory goes with the disks that it was saved with.
  if (view.active || view.status.managedSave) throw notShutDown(view, 'was started');
  const isOther = intent.disks.some(({ target, frozen }) =>
    view.domain.disks.every((disk) => disk.target !== target || disk.path !== frozen.path),
  );
  if (!isOther) return view;
  throw new HoldfastError(
    'UserErrorVmNotInDesirableState',
    `The disks of '${view.status.name}' were changed while they were being restored.`,
    { target: view.status.uuid },
  );
}

const notShutDown = ({ status }: MachineView, what: string) =>
  new HoldfastError('UserErrorVmNotShutDown', `'${status.name}' ${what}: its disks can't be replaced.`, {
    target: status.uuid,
  });
