import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPoint, listPoints, type PointRow, updateItem } from '../catalog/index.ts';
import { startBackup } from './backup.ts';
import { deletePoint, extendPoint, undeletePoint } from './change-point.ts';
import { maintainItem, maintenanceIdle } from './maintenance.ts';
import { startRestore } from './start-restore.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;
let first: string;
let last: string;

beforeEach(async () => {
  estate = await createSmallEstate();
  for (let n = 0; n < 2; n += 1) {
    await estate.settled(await startBackup(estate.workshop, await estate.item(), { onDemand: {} }));
    estate.now = estate.now.add({ hours: 1 });
  }
  [first = '', last = ''] = (await points()).map((point) => point.point_id);
});
afterEach(() => estate[Symbol.asyncDispose]());

const points = () => listPoints(estate.workshop.db, estate.itemId);
const pointOf = (pointId: string) => findPoint(estate.workshop.db, estate.itemId, pointId);
async function maintained(): Promise<void> {
  maintainItem(estate.workshop, estate.itemId);
  await maintenanceIdle(estate.workshop);
}

describe('one recovery point', () => {
  it('is kept until a later date, never an earlier one', async () => {
    const item = await estate.item();
    const until = estate.now.add({ hours: 24 * 400 });
    expect(await extendPoint(estate.workshop, item, first, until)).toMatchObject({ rule_name: null });
    estate.now = estate.now.add({ hours: 24 * 399 });
    await maintained();
    expect((await pointOf(first))?.in_vault).toBe(1);
    await expect(
      extendPoint(estate.workshop, item, first, until.subtract({ hours: 1 })),
    ).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(extendPoint(estate.workshop, item, 'none', until)).rejects.toMatchObject({
      code: 'ResourceNotFound',
    });
  });

  it('is soft-deleted by hand, not restored meanwhile, and removed in the end', async () => {
    const item = await estate.item();
    await deletePoint(estate.workshop, item, first);
    await expect(deletePoint(estate.workshop, item, first)).rejects.toMatchObject({
      code: 'UserErrorRecoveryPointSoftDeleted',
    });
    await expect(
      startRestore(estate.workshop, item, (await pointOf(first)) as PointRow, {
        kind: 'disks',
        directory: estate.directory,
      }),
    ).rejects.toMatchObject({ code: 'UserErrorRecoveryPointSoftDeleted' });
    estate.now = estate.now.add({ hours: 24 * 14 - 1 });
    await maintained();
    expect(await pointOf(first)).toMatchObject({ in_vault: 1 });
    estate.now = estate.now.add({ hours: 1 });
    await maintained();
    expect(await pointOf(first)).toBeUndefined();
    expect((await (await estate.store()).listPoints()).points.map(({ pointId }) => pointId)).toEqual([last]);
  });

  it('goes although protection is stopped, and nothing else does', async () => {
    const item = await estate.item();
    await deletePoint(estate.workshop, item, first);
    await updateItem(estate.workshop.db, estate.itemId, { state: 'ProtectionStopped', policy_name: null });
    estate.now = estate.now.add({ hours: 24 * 60 });
    await maintained();
    expect((await points()).map((point) => point.point_id)).toEqual([last]);
  });

  it('comes back by hand, and expires as it would have', async () => {
    const item = await estate.item();
    const before = await pointOf(first);
    await deletePoint(estate.workshop, item, first);
    expect(await undeletePoint(estate.workshop, item, first)).toEqual(before);
    await expect(undeletePoint(estate.workshop, item, first)).rejects.toMatchObject({
      code: 'UserErrorItemNotSoftDeleted',
    });
  });

  it('is not deleted where it is the last, nor in an immutable vault before it expires', async () => {
    const item = await estate.item();
    const { db } = estate.workshop;
    await db.updateTable('vaults').set({ immutability: 'Locked' }).execute();
    await expect(deletePoint(estate.workshop, item, first)).rejects.toMatchObject({
      code: 'UserErrorOperationDeniedOnImmutableItem',
    });
    await db.updateTable('vaults').set({ immutability: 'Disabled' }).execute();
    await deletePoint(estate.workshop, item, first);
    await expect(deletePoint(estate.workshop, item, last)).rejects.toMatchObject({
      code: 'UserErrorLastRecoveryPoint',
    });
  });
});
