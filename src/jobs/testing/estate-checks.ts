import { expect } from 'vitest';
import {
  findItemOfName,
  findReplica,
  findSavedPolicy,
  getVault,
  type ItemRow,
  inVault,
  listPoints,
  type PointRow,
} from '../../catalog/index.ts';
import {
  type EstateModel,
  isActive,
  type PolicyName,
  policyTypes,
  type Tally,
  type VaultId,
  type VmName,
  vaultIds,
  vmNames,
} from './estate-model.ts';
import type { SmallEstate } from './small-estate.ts';

/** Every point that was in a vault, as last seen, by vault and VM. */
export type SeenPoints = Map<string, Map<string, PointRow>>;

const isPast = (time: string | Temporal.Instant | null | undefined, now: Temporal.Instant) =>
  time !== null && time !== undefined && Temporal.Instant.compare(time, now) <= 0;

const itemOf = ({ workshop }: SmallEstate, vault: VaultId, vm: VmName) =>
  findItemOfName(workshop.db, vault, 'default', vm);

/** What is shown and the model does not say, in words; undefined: nothing. `model` takes what time alone may bring. */
export async function differenceFrom(model: EstateModel, estate: SmallEstate): Promise<string | undefined> {
  const { db } = estate.workshop;
  for (const vault of vaultIds) {
    const { immutability, days } = model.vaults[vault];
    const shown = (await getVault(db, vault)).immutability;
    if (shown !== immutability) return `vault ${vault} is ${shown}, not ${immutability}`;
    for (const name of Object.keys(policyTypes) as PolicyName[]) {
      const count = (await findSavedPolicy(db, vault, name))?.policy.retention.daily?.count;
      if (count !== days[name]) return `policy ${name} of ${vault} keeps ${count} days, not ${days[name]}`;
    }
    for (const vm of vmNames) {
      const row = await itemOf(estate, vault, vm);
      const item = model.items[`${vault}/${vm}`];
      // A backup that the schedule made, or that a dead service had begun, brings the first point meanwhile.
      if (item?.state === 'IRPending' && row?.state === 'Protected') item.state = 'Protected';
      // What may be purged may be gone.
      if (item?.state === 'SoftDeleted' && row === undefined && isPast(item.purgeAt, estate.now))
        delete model.items[`${vault}/${vm}`];
      const wanted = model.items[`${vault}/${vm}`];
      const said = describe(row);
      const expected =
        wanted === undefined ? 'none' : wordsFor(wanted.state, wanted.policy, wanted.days, wanted.vm);
      if (said !== expected) return `${vault}/${vm} is ${said}, not ${expected}`;
    }
  }
  return undefined;
}

const wordsFor = (state: string, policy: string, days: number | undefined, vm: string) =>
  `${state} by ${policy} of ${days} days about ${vm}`;

function describe(row: ItemRow | undefined): string {
  if (row === undefined) return 'none';
  const last = JSON.parse(row.policy_json) as { name: string; retention: { daily?: { count: number } } };
  if (
    row.policy_name !==
    (isActive(row.state) ? last.name : row.state === 'BackupsSuspended' ? row.policy_name : null)
  )
    return `${row.state} under ${row.policy_name}`;
  return wordsFor(row.state, last.name, last.retention.daily?.count, row.vm_uuid);
}

/** No point went before its time, the last one never; and what the catalog says is in a store is there. */
export async function checkPoints(model: EstateModel, estate: SmallEstate, seen: SeenPoints, tally: Tally) {
  const { db } = estate.workshop;
  for (const vault of vaultIds) {
    const store = await estate.workshop.estate.store(await getVault(db, vault));
    const records = new Set((await store.listPoints()).points.map(({ pointId }) => pointId));
    const all = new Set<string>();
    for (const vm of vmNames) {
      const key = `${vault}/${vm}` as const;
      const item = await itemOf(estate, vault, vm);
      const before = seen.get(key) ?? new Map<string, PointRow>();
      const points = item === undefined ? [] : await listPoints(db, item.item_id);
      const stored = points.filter((point) => point.in_vault === inVault.yes);
      const now = new Map(stored.map((point) => [point.point_id, point]));
      for (const point of before.values()) {
        if (now.has(point.point_id)) continue;
        const removal = whyGone(point, item, estate.now);
        expect(
          removal,
          `${point.point_id} of ${key}, ${point.taken_at}, is gone in ${item?.state}`,
        ).toBeDefined();
        tally.set(`point ${removal}`, (tally.get(`point ${removal}`) ?? 0) + 1);
      }
      const mayBeEmpty = item === undefined || isPast(item.purge_at, estate.now);
      expect(mayBeEmpty || before.size === 0 || stored.length > 0, `${key} lost its last point`).toBe(true);
      if (model.items[key]?.state === 'Protected') expect(stored.length, key).toBeGreaterThan(0);
      for (const point of stored)
        expect(records.has(point.point_id), `${point.point_id} in ${vault}`).toBe(true);
      seen.set(key, now);
      for (const point of points) all.add(point.point_id);
    }
    // Nothing of what was purged stays behind, nor of a backup that a death cut short.
    for (const pointId of records)
      expect(all.has(pointId), `${pointId} is in ${vault}, of nothing`).toBe(true);
  }
  await checkReplica(estate);
}

/** What removes a point that is in a vault, in an item of this state; undefined: nothing does. */
function whyGone(point: PointRow, item: ItemRow | undefined, now: Temporal.Instant) {
  if (item === undefined) return 'purged';
  const { state } = item;
  // A purge that met a replication is tried again within the hour.
  if (state === 'SoftDeleted') return isPast(item.purge_at, now) ? 'purged' : undefined;
  if (point.deleted_by_person === 1 && isPast(point.soft_deleted_until, now)) return 'deleted';
  if (!isActive(state) && state !== 'BackupsSuspended') return undefined;
  return isPast(point.expires_at, now) ? 'expired' : undefined;
}

async function checkReplica(estate: SmallEstate): Promise<void> {
  const { db } = estate.workshop;
  const row = await findReplica(db, 'v1');
  if (row === undefined) return;
  const { points: records } = await (await estate.workshop.estate.replica(row)).listPoints();
  const there = new Set(records.map(({ pointId }) => pointId));
  for (const vm of vmNames) {
    const item = await itemOf(estate, 'v1', vm);
    for (const point of item === undefined ? [] : await listPoints(db, item.item_id))
      if (point.in_replica === 1)
        expect(there.has(point.point_id), `${point.point_id} in the replica`).toBe(true);
  }
}
