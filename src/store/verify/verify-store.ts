import { isHoldfastError } from '../../errors/index.ts';
import { pointName } from '../layout.ts';
import { listPointNames, readPoint } from '../point-records.ts';
import type { StoreState } from '../store-state.ts';
import type { PointRecord } from '../types.ts';
import { checkObjects } from './check-objects.ts';
import { type CheckWork, checkPack, type PackCheck } from './check-pack.ts';
import { DamageLocator, GapList } from './locate-damage.ts';
import type {
  ObjectDamage,
  PackDamage,
  PointDamage,
  UpkeepOptions,
  VerifyCursor,
  VerifyOptions,
  VerifyReport,
} from './types.ts';

/**
 * Checks everything there is. What is found is put into the quarantine pack by pack, durably, before the cursor moves past
 * it: a pass that is interrupted has lost nothing it knew. Runs beside everything else.
 */
export async function verifyStore(
  state: StoreState,
  options: VerifyOptions,
  now: Temporal.Instant,
): Promise<VerifyReport> {
  const { signal } = options;
  const cursor: VerifyCursor = { ...(options.cursor ?? { startedAt: now.toString() }) };
  const work = checkWorkOf(state, options);
  const damagedObjects = await checkObjects(state, signal);
  const { afterPack } = cursor;
  const packs = [...state.sink.packs.present]
    .filter(([packId]) => afterPack === undefined || packId > afterPack)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const total = packs.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0);
  let bytes = 0;
  let allNoted = true;
  for (const [packId, sizeBytes] of packs) {
    signal?.throwIfAborted();
    await verifyPack(state, packId, work);
    bytes += sizeBytes;
    allNoted = (await state.quarantine.saved()) && allNoted;
    if (allNoted) cursor.afterPack = packId;
    const damagedPacks = state.quarantine.packs;
    options.onProgress?.({ phase: 'packs', done: bytes, total, cursor: { ...cursor }, damagedPacks });
  }
  const located = await locatePoints(state, options, (done, ofPoints) =>
    options.onProgress?.({
      phase: 'points',
      done,
      total: ofPoints,
      cursor: { ...cursor },
      damagedPacks: state.quarantine.packs,
    }),
  );
  return {
    startedAt: cursor.startedAt,
    packs: packs.length,
    bytes,
    points: located.points,
    referencedBytes: located.referencedBytes,
    damagedPacks: [...knownPackDamage(state)],
    damagedObjects: [...damagedObjects, ...located.damagedObjects],
    damagedPoints: located.damagedPoints,
  };
}

export function checkWorkOf(state: StoreState, { pace, signal }: UpkeepOptions): CheckWork {
  return {
    backend: state.backend,
    reader: state.reader,
    signal,
    pace: async (bytes) => await pace?.(bytes, signal),
  };
}

/**
 * Checks one pack and takes what was found into index and quarantine. Undefined when it is not there, or is one that
 * was given up. A pack that a collection has deleted is no damage.
 */
export async function verifyPack(
  state: StoreState,
  packId: string,
  work: CheckWork,
): Promise<PackCheck | undefined> {
  const { index, quarantine, sink } = state;
  const { packs } = sink;
  const sizeBytes = packs.sizeOf(packId);
  if (sizeBytes === undefined || quarantine.get(packId)?.salvaged === true) return undefined;
  const isUnreadable = packs.unreadable.has(packId);
  const known = index.rangeOf(packs.number(packId))?.entries;
  const check = await checkPack(packId, sizeBytes, work, known);
  if (packs.sizeOf(packId) === undefined) return undefined; // collected meanwhile
  if (check === undefined) {
    packs.setLost(packId);
    quarantine.forget(packId);
    return undefined;
  }
  const badOffsets = new Set(check.bad.map(({ entry }) => entry.offset));
  // What has been salvaged as far as it went stays given up, or its copies would count again.
  const all = check.container !== undefined && quarantine.get(packId)?.all === true;
  if (check.trailer !== undefined && (isUnreadable || index.hasDamage || badOffsets.size > 0)) {
    packs.setPresent(packId, sizeBytes);
    const section = { packId, packBytes: sizeBytes, trailer: check.trailer };
    index.addPack(section);
    if (isUnreadable) state.remember(section);
  }
  quarantine.settle(packId, { frames: badOffsets, all, container: check.container });
  return check;
}

/** Packs that are in the quarantine, and those that are known and not there. */
export function* knownPackDamage({ quarantine, sink }: StoreState): Generator<PackDamage> {
  for (const { pack, frames, all, container } of quarantine.records()) {
    const damaged = all ? 'nothing in it is relied upon' : `${frames.length} of its frames cannot be read`;
    const message =
      container === undefined ? `pack ${pack}: ${damaged}` : `pack ${pack}: ${container}; ${damaged}`;
    yield { pack, kind: 'corrupt', message, ...(all ? {} : { frames: frames.length }) };
  }
  for (const pack of sink.packs.lost) yield { pack, kind: 'missing', message: `pack ${pack} is missing` };
}

interface Located {
  points: number;
  referencedBytes: number;
  damagedPoints: PointDamage[];
  damagedObjects: ObjectDamage[];
}

/** Which points, disks and stretches cannot be read, by what is known of the packs now. */
export async function locatePoints(
  state: StoreState,
  options: UpkeepOptions,
  onPoint: (done: number, total: number) => void = () => {},
): Promise<Located> {
  const { backend, known } = state;
  const { signal } = options;
  const locator = new DamageLocator({ ...checkWorkOf(state, options) });
  const located: Located = { points: 0, referencedBytes: 0, damagedPoints: [], damagedObjects: [] };
  const expected = [...known.names];
  const listed = await listPointNames(backend);
  const names = new Set(listed.map(({ itemId, pointId }) => pointName(itemId, pointId)));
  for (const name of expected) {
    if (names.has(name) || !known.names.has(name)) continue;
    const message = `${name} is missing, and nobody has deleted it.`;
    located.damagedObjects.push({ name, kind: 'missing', harm: 'point', message });
  }
  for (const [done, { itemId, pointId }] of listed.entries()) {
    signal?.throwIfAborted();
    onPoint(done, listed.length);
    const name = pointName(itemId, pointId);
    let record: PointRecord;
    try {
      record = await readPoint(state, itemId, pointId);
    } catch (error) {
      if (isHoldfastError(error, 'RecoveryPointNotInStore') && !known.names.has(name)) continue;
      if (!isHoldfastError(error, 'StoreDamaged', 'StoreVersionNotSupported', 'RecoveryPointNotInStore'))
        throw error;
      located.damagedObjects.push({ name, kind: 'corrupt', harm: 'point', message: error.message });
      continue;
    }
    known.note(record);
    const { damage, referencedBytes } = await locatePoint(state, locator, record);
    if (!known.names.has(name)) continue; // deleted meanwhile: what it needed may have gone
    located.points++;
    located.referencedBytes += referencedBytes;
    if (damage !== undefined) located.damagedPoints.push(damage);
  }
  onPoint(listed.length, listed.length);
  return located;
}

async function locatePoint(
  state: StoreState,
  locator: DamageLocator,
  { itemId, pointId, createdAt, disks }: PointRecord,
): Promise<{ damage: PointDamage | undefined; referencedBytes: number }> {
  const holds = disks.map(({ disk }) => state.uses.hold(disk));
  try {
    const damaged: PointDamage['disks'] = [];
    let referencedBytes = 0;
    for (const { name, disk } of disks) {
      const gaps = new GapList(name);
      referencedBytes += await locator.locate(disk, ({ offset, length, damage }) =>
        gaps.add(offset, length, damage.message),
      );
      if (!gaps.isEmpty) damaged.push(gaps.result());
    }
    const damage = damaged.length === 0 ? undefined : { itemId, pointId, createdAt, disks: damaged };
    return { damage, referencedBytes };
  } finally {
    for (const hold of holds) hold.release();
  }
}
