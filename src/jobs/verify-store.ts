import {
  getUpkeep,
  getVault,
  listOpenJobs,
  noteDamaged,
  type PointRow,
  saveUpkeep,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import type { ObjectDamage, Store, VerifyReport } from '../store/index.ts';
import type { Operation } from './engine.ts';
import { healedProperties, healFromReplica } from './heal-points.ts';
import type { JobContext, RunningTask } from './job-context.ts';
import { missingPoints } from './missing-points.ts';
import { readStore } from './read-store.ts';
import {
  damagedPointsError,
  damagedPointWords,
  summaryOf,
  type VerificationSummary,
} from './store-damage.ts';
import type { Workshop } from './workshop.ts';

export const checkStoreTask = 'Check store';

export interface VerifyPayload {
  vaultId: string;
  /** Begins at the first pack even where an earlier verification has not come to its end. */
  fromStart: boolean;
  bytesPerSecond: number | undefined;
  /** The cursor in the catalog is this job's. */
  begun?: boolean;
}

/** Starts a verification; where one is under way already, returns that job. */
export async function startVerification(
  workshop: Workshop,
  vault: VaultRow,
  options: { userTriggered: boolean; bytesPerSecond?: number | undefined },
): Promise<string> {
  const running = await openStoreJob(workshop, vault.vault_id, 'VerifyStore');
  if (running !== undefined) return running;
  const { userTriggered, bytesPerSecond } = options;
  return workshop.engine.start<VerifyPayload>('VerifyStore', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: vault.name,
    userTriggered,
    payload: { vaultId: vault.vault_id, fromStart: userTriggered, bytesPerSecond },
    taskIds: [checkStoreTask],
  });
}

/** The job of this kind that works on the vault's store now. */
export async function openStoreJob(
  workshop: Workshop,
  vaultId: string,
  operation: 'VerifyStore' | 'RepairStore' | 'CollectStore' | 'Replicate' | 'VerifyReplica',
): Promise<string | undefined> {
  const jobs = await listOpenJobs(workshop.db);
  return jobs.find((job) => job.operation === operation && job.vault_id === vaultId)?.job_id;
}

/** Taken up again, it goes on where its cursor is. */
export function verifyStoreOperation(workshop: Workshop): Operation<VerifyPayload> {
  return {
    run: (context) => verify(workshop, context),
    resume: (context) => verify(workshop, context),
    cancelRefusal: () => undefined,
  };
}

async function verify(workshop: Workshop, context: JobContext<VerifyPayload>): Promise<JobStatus> {
  const { db } = workshop;
  const { vaultId } = context.payload;
  const vault = await getVault(db, vaultId);
  const summary = await context.runTask(checkStoreTask, async (task) => {
    using _place = await workshop.verifications.enter(context.signal);
    await using phase = await workshop.phases.tryEnter('verification', vaultId);
    if (phase === undefined) throw underWay(vault);
    const store = await workshop.estate.store(vault);
    const checked = await checkAll(workshop, context, store, task);
    const missing = await missingPoints(db, vault, store, context.signal);
    const known = new Set(checked.damagedObjects.map(({ name }) => name));
    const unseen = missing.map(missingRecord).filter(({ name }) => !known.has(name));
    const report = { ...checked, damagedObjects: [...checked.damagedObjects, ...unseen] };
    const healing = await healFromReplica(workshop, vault, store, report.damagedPoints, context.signal);
    await context.setProperties(healedProperties(healing, 'replica'));
    const left = { ...report, damagedPoints: healing.damaged };
    const found = await summaryOf(workshop, vault, left, await store.stats());
    await noteDamaged(db, vaultId, new Set(healing.damaged.map(({ pointId }) => pointId)));
    await saveUpkeep(db, vaultId, {
      verify_cursor_json: null,
      verified_at: found.endedAt,
      verification_json: JSON.stringify(found),
    });
    return { ...found, lostObjects: report.damagedObjects.filter(({ harm }) => harm !== 'none') };
  });
  await context.setProperties(propertiesOf(summary));
  const { damagedPoints, damagedPointCount, damagedPacks, damagedObjects, lostObjects } = summary;
  if (damagedPointCount > 0) throw damagedPointsError(vault, damagedPoints, damagedPointCount);
  const [lost] = lostObjects;
  if (lost !== undefined) throw new HoldfastError('StoreDamaged', lost.message, { target: lost.name });
  const first = damagedPacks[0] ?? damagedObjects[0];
  if (first === undefined) return 'Completed';
  await context.setError({
    code: 'StoreDamaged',
    message: `There is damage in the store of vault '${vault.name}', and no recovery point has lost anything by it: ${first.message}`,
    action:
      'Run "holdfast store repair"; what is read of a damaged pack is stored anew by backups that meet it.',
  });
  return 'CompletedWithWarnings';
}

function missingRecord({ item_id, point_id, taken_at }: PointRow): ObjectDamage {
  return {
    name: `points/${item_id}/${point_id}.point`,
    kind: 'missing',
    harm: 'point',
    message: `Recovery point ${point_id} of ${taken_at} is no longer in the store: somebody has deleted its record.`,
  };
}

const underWay = (vault: VaultRow) =>
  new HoldfastError('ResourceInUse', `The store of vault '${vault.name}' is being verified.`, {
    target: vault.name,
    action: 'Wait until that has ended.',
  });

async function checkAll(
  workshop: Workshop,
  context: JobContext<VerifyPayload>,
  store: Store,
  task: RunningTask,
): Promise<VerifyReport> {
  const { vaultId, bytesPerSecond } = context.payload;
  return await readStore(workshop, store, task, {
    cursorJson: await firstCursor(workshop, context),
    saveCursor: (json) => saveUpkeep(workshop.db, vaultId, { verify_cursor_json: json }),
    bytesPerSecond,
    signal: context.signal,
  });
}

/** Where to go on: after a restart at the job's own cursor, and by the schedule at that of one that was not finished. */
async function firstCursor(workshop: Workshop, context: JobContext<VerifyPayload>): Promise<string | null> {
  const { vaultId, fromStart, begun } = context.payload;
  const known = (await getUpkeep(workshop.db, vaultId)).verify_cursor_json;
  if (begun === true) return known;
  const json = fromStart ? null : known;
  await noteBegun(workshop, context, json);
  return json;
}

async function noteBegun(
  workshop: Workshop,
  context: JobContext<VerifyPayload>,
  cursorJson: string | null,
): Promise<void> {
  await saveUpkeep(workshop.db, context.payload.vaultId, {
    verify_cursor_json: cursorJson,
    verify_started_at: workshop.clock.now().toString({ fractionalSecondDigits: 3 }),
  });
  await context.savePayload({ begun: true });
}

function propertiesOf(summary: VerificationSummary): Record<string, string> {
  const { damagedPackCount, damagedObjectCount, damagedPointCount, damagedPoints } = summary;
  const isSound = damagedPackCount + damagedObjectCount + damagedPointCount === 0;
  return {
    'Packs in store': String(summary.packs),
    'Recovery points': String(summary.points),
    ...(isSound
      ? {}
      : {
          'Damaged packs': String(damagedPackCount),
          'Other damaged objects': String(damagedObjectCount),
          'Damaged recovery points': String(damagedPointCount),
          ...(damagedPointCount === 0
            ? {}
            : { 'What is lost': damagedPoints.map(damagedPointWords).join('\n') }),
        }),
  };
}
