import { expect, it } from 'vitest';
import { type RecoveryPoint, restoreRequest } from '../../../../src/api/client/browser.ts';
import { emptyForm, missingIn, type RestoreForm, requestOf } from './restore-form.ts';

const point = {
  id: '/points/p1',
  name: 'p1',
  properties: { holdfast: { disks: [{ target: 'vda' }, { target: 'vdb' }] } },
} as RecoveryPoint;

const form = (changes: Partial<RestoreForm>) => ({ ...emptyForm, name: 'new', directory: '/d', ...changes });
const sent = (changes: Partial<RestoreForm>) => {
  const properties = requestOf(form(changes), point, '/vms/web');
  expect(restoreRequest.parse({ properties }).properties).toEqual(properties);
  return properties;
};

it('asks for a new VM with all its disks, whatever was left out of another kind', () => {
  expect(sent({ leftOut: ['vdb'], confirm: 'x' })).toEqual({
    objectType: 'IaasVMRestoreRequest',
    recoveryType: 'AlternateLocation',
    recoveryPointId: '/points/p1',
    sourceResourceId: '/vms/web',
    storageAccountId: '/d',
    targetVirtualMachineId: 'new',
    holdfast: { connectNetwork: false, start: false },
  });
});

it('starts what runs live, and says nothing that a live restore refuses', () => {
  const { holdfast } = sent({ live: true, tier: 'snapshot', diskFormat: 'raw', allowDamaged: true });
  expect(holdfast).toEqual({ connectNetwork: false, live: true, start: true });
});

it('sends of what is made anew nothing for disks that are replaced', () => {
  const all = { live: true, connectNetwork: true, diskFormat: 'raw', allowDamaged: true } as const;
  const { holdfast, storageAccountId } = sent({ ...all, kind: 'original', leftOut: ['vda'], start: true });
  expect(storageAccountId).toBeUndefined();
  expect(holdfast).toEqual({ disks: ['vdb'], start: true });
});

it('says what is missing', () => {
  const of = (changes: Partial<RestoreForm>) => Object.keys(missingIn(form(changes), point, 'web'));
  expect(of({ name: ' ', directory: 'relative' })).toEqual(['name', 'directory']);
  expect(of({ kind: 'disks', leftOut: ['vda', 'vdb'] })).toEqual(['disks']);
  expect(of({ kind: 'original', directory: '' })).toEqual(['confirm']);
  expect(of({ kind: 'original', confirm: 'WEB' })).toEqual([]);
});
