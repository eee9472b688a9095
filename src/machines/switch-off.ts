import { HoldfastError } from '../errors/index.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import type { ImageLayer } from './images/index.ts';
import type { TakeIntent } from './ledger.ts';
import { chainsOf, type MachineView, viewMachine } from './machine-view.ts';
import { redefine } from './settle.ts';

/**
 * Puts the overlays on top of the disks of a machine that is off, in one change of its definition: libvirt writes it
 * whole or not at all. Then makes sure that the machine was not started on the old images meanwhile.
 * @throws UserErrorVmNotInDesirableState when it was; the caller takes the definition back
 */
export async function switchOffMachine(
  host: HostContext,
  view: MachineView,
  intent: TakeIntent,
): Promise<void> {
  const chains = await chainsOf(view);
  const switched = new Map<string, ImageLayer[]>();
  for (const { target, overlay } of intent.disks) {
    switched.set(target, [{ path: overlay, format: 'qcow2' }, ...(chains.get(target) ?? [])]);
  }
  await redefine(host, view.inactiveXml, switched);
  await host.step('defined');
  const after = await viewMachine(host, view.status.uuid);
  const isOn = (disks: MachineView['domain']['disks']) =>
    intent.disks.every(({ target, overlay }) =>
      disks.some((disk) => disk.target === target && disk.path === overlay),
    );
  if (isOn(after.domain.disks) && isOn(describeDomain(after.inactiveXml).disks)) return;
  throw new HoldfastError(
    'UserErrorVmNotInDesirableState',
    `'${view.status.name}' was started or redefined while its recovery point was being taken.`,
    { target: view.status.uuid },
  );
}
