import { expect, it } from 'vitest';
import type { ProtectableItem, VirtualMachine } from '../../../../src/api/client/browser.ts';
import { candidatesOf, offersStandard } from './candidates.ts';

const protectable = (name: string) =>
  ({
    properties: { friendlyName: name, resourceGroup: 'lab', virtualMachineId: `/vms/${name}` },
  }) as ProtectableItem;
const machine = (name: string, zone?: string) =>
  ({
    id: `/subscriptions/s/resourceGroups/Lab/providers/Holdfast.Fleet/virtualMachines/${name}`,
    name,
    ...(zone !== undefined && { extendedLocation: { type: 'EdgeZone', name: zone } }),
    properties: { host: 'h1' },
  }) as VirtualMachine;

it('joins what can be protected with its zone, whatever the case of the group', () => {
  const found = candidatesOf([protectable('b'), protectable('a')], [machine('b', 'z1'), machine('c')]);
  expect(found).toEqual([
    { id: '/vms/a', name: 'a', group: 'lab', zone: undefined, host: undefined },
    { id: '/vms/b', name: 'b', group: 'lab', zone: 'z1', host: 'h1' },
  ]);
});

it('offers Standard where nothing that is chosen, and not all that there is, lies in a zone', () => {
  const both = candidatesOf([protectable('a'), protectable('b')], [machine('b', 'z1')]);
  expect(offersStandard(both, new Set())).toBe(true);
  expect(offersStandard(both, new Set(['/vms/a']))).toBe(true);
  expect(offersStandard(both, new Set(['/vms/a', '/vms/b']))).toBe(false);
  expect(offersStandard(both.slice(1), new Set())).toBe(false);
  expect(offersStandard([], new Set())).toBe(true);
});
