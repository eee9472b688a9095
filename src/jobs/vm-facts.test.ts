import { expect, it } from 'vitest';
import type { HostRow } from '../catalog/index.ts';
import type { Machine } from '../machines/index.ts';
import { vmFactsOf } from './vm-facts.ts';

const host = { location: 'west', zone: null } as HostRow;
const disk = (target: string, cache?: string, device = 'disk') => ({ target, cache, device });
const machineWith = (...disks: ReturnType<typeof disk>[]) => ({ name: 'web', disks }) as unknown as Machine;

it('tells region, zone and disks, and leaves drives for removable media out', () => {
  const machine = machineWith(disk('vda'), disk('sda', 'unsafe', 'cdrom'));
  expect(vmFactsOf({ host, machine })).toEqual({ name: 'web', region: 'west', disks: ['vda'] });
  expect(vmFactsOf({ host: { ...host, zone: 'z1' }, machine })).toMatchObject({ region: 'west', zone: 'z1' });
});

it('names the disk whose writes have no order without a freeze, unless it is left out', () => {
  const machine = machineWith(disk('vda', 'none'), disk('vdb', 'unsafe'));
  expect(vmFactsOf({ host, machine }).crashConsistentObstacle).toMatch(/^disk vdb .*"unsafe"/);
  expect(vmFactsOf({ host, machine }, ['vdb'])).not.toHaveProperty('crashConsistentObstacle');
});
