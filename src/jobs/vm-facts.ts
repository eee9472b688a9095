import type { HostRow } from '../catalog/index.ts';
import type { VmFacts } from '../protection/index.ts';
import type { FoundMachine } from './estate.ts';

/** Where the VMs of a host are, as the rules want it told. */
export function placeOf(host: Pick<HostRow, 'location' | 'zone'>): Pick<VmFacts, 'region' | 'zone'> {
  return { region: host.location, ...(host.zone !== null && { zone: host.zone }) };
}

/**
 * What the rules of protection need to know of a VM, from what its host says of it now.
 * @param excludedDisks targets that its points leave out
 */
export function vmFactsOf({ host, machine }: FoundMachine, excludedDisks: readonly string[] = []): VmFacts {
  const disks = machine.disks.filter((disk) => !['cdrom', 'floppy'].includes(disk.device));
  // A guest that nobody freezes orders its writes with flushes alone, and this mode throws them away.
  const unordered = disks.find((disk) => disk.cache === 'unsafe' && !excludedDisks.includes(disk.target));
  return {
    name: machine.name,
    ...placeOf(host),
    disks: disks.map((disk) => disk.target),
    ...(unordered !== undefined && {
      crashConsistentObstacle: `disk ${unordered.target} has the cache mode "unsafe", which ignores the order of the guest's writes`,
    }),
  };
}
