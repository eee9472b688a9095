import type { ProtectableItem, VirtualMachine } from '../../../../src/api/client/browser.ts';
import { groupOf } from '../../api/addresses.ts';

export const subTypes = [
  ['V2', 'Enhanced'],
  ['V1', 'Standard'],
] as const;
export type SubType = (typeof subTypes)[number][0];

/** As many as Azure takes at once. */
export const maxAtOnce = 100;

/** A VM that a vault could protect. */
export interface Candidate {
  /** Its resource id. */
  id: string;
  name: string;
  group: string;
  zone: string | undefined;
  host: string | undefined;
}

const keyOf = (group: string, name: string) => `${group}/${name}`.toLowerCase();

/** What a vault could protect, with what the hosts say of it; by name. */
export function candidatesOf(
  protectable: readonly ProtectableItem[],
  machines: readonly VirtualMachine[],
): Candidate[] {
  const known = new Map(machines.map((machine) => [keyOf(groupOf(machine.id), machine.name), machine]));
  return protectable
    .map(({ properties: { friendlyName: name, resourceGroup: group, virtualMachineId: id } }) => {
      const machine = known.get(keyOf(group, name));
      return { id, name, group, zone: machine?.extendedLocation?.name, host: machine?.properties.host };
    })
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Why VMs of extended zones have no Standard policy. */
export const needsEnhanced = 'VMs in an extended zone are protected with an Enhanced policy.';

/** Whether a Standard policy can be had: not with what is chosen, or with any VM that there is, in an extended zone. */
export function offersStandard(candidates: readonly Candidate[], chosen: ReadonlySet<string>): boolean {
  const isFree = ({ zone }: Candidate) => zone === undefined;
  return (
    (candidates.length === 0 || candidates.some(isFree)) &&
    candidates.filter(({ id }) => chosen.has(id)).every(isFree)
  );
}
