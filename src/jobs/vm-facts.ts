import type { HostRow } from '../catalog/index.ts';
import { crashConsistentObstacle } from '../machines/index.ts';
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
  const obstacle = crashConsistentObstacle(disks, excludedDisks);
  return {
    name: machine.name,
    ...placeOf(host),
    disks: disks.map((disk) => disk.target),
    ...(obstacle !== undefined && { crashConsistentObstacle: obstacle }),
  };
}
