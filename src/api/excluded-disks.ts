import { HoldfastError } from '../errors/index.ts';
import type { ProtectedItemRequest } from './client/index.ts';

/** Azure counts the disk of the operating system as -1; here it is the first. */
const firstUnit = -1;

/**
 * Targets of the disks that a request leaves out: named by us, or by Azure's logical units. Undefined: as before.
 * @param disks targets of the VM's disks, in their order
 * @throws InvalidInput for a unit that the VM does not have
 */
export function excludedBy(
  { holdfast, extendedProperties }: ProtectedItemRequest['properties'],
  disks: readonly string[],
): readonly string[] | undefined {
  if (holdfast?.excludedDisks !== undefined) return holdfast.excludedDisks;
  if (extendedProperties === undefined) return undefined;
  // azure-cli leaves the list out where it is to be reset.
  const wish = extendedProperties.diskExclusionProperties ?? undefined;
  if (wish === undefined) return [];
  const named = wish.diskLunList.map((unit) => {
    const disk = disks[unit - firstUnit];
    if (disk !== undefined) return disk;
    throw new HoldfastError('InvalidInput', `The VM has no disk with the logical unit number ${unit}.`, {
      target: 'properties.extendedProperties.diskExclusionProperties.diskLunList',
      action: `Name one from ${firstUnit} (the first disk) to ${disks.length + firstUnit - 1}.`,
    });
  });
  if (!wish.isInclusionList) return named;
  // The disk of the operating system is always in.
  return disks.filter((disk, index) => index > 0 && !named.includes(disk));
}
