import { getVault, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { printPlan } from '../store/index.ts';
import { isListingRight, noteCollected } from './collected.ts';
import type { Operation } from './engine.ts';
import type { JobContext } from './job-context.ts';
import { openStoreJob } from './verify-store.ts';
import type { Workshop } from './workshop.ts';

export const planCollectionTask = 'Plan collection';
export const collectTask = 'Collect what no recovery point needs';

/** Lines of a plan that are kept with the job: it has one for each pack that does not simply stay. */
const planLines = 500;

export interface CollectPayload {
  vaultId: string;
  dryRun: boolean;
  /** Goes on although most points have gone since the last collection. */
  force: boolean;
}

/** @throws ResourceInUse while another collection of the store is under way */
export async function startCollection(
  workshop: Workshop,
  vault: VaultRow,
  { dryRun, force, userTriggered = true }: { dryRun: boolean; force: boolean; userTriggered?: boolean },
): Promise<string> {
  const running = await openStoreJob(workshop, vault.vault_id, 'CollectStore');
  if (running !== undefined || workshop.phases.isHeld('collection', vault.vault_id))
    throw underWay(vault, running);
  return workshop.engine.start<CollectPayload>('CollectStore', {
    vaultId: vault.vault_id,
    itemId: undefined,
    entityName: vault.name,
    userTriggered,
    payload: { vaultId: vault.vault_id, dryRun, force },
    taskIds: [dryRun ? planCollectionTask : collectTask],
  });
}

const underWay = (vault: VaultRow, jobId?: string) =>
  new HoldfastError('ResourceInUse', `The store of vault '${vault.name}' is being collected.`, {
    target: jobId ?? vault.name,
    action: 'Wait until that has ended, then try again.',
  });

/** A collection can die at any instant; done again, it goes on. */
export function collectStoreOperation(workshop: Workshop): Operation<CollectPayload> {
  return {
    run: (context) => collect(workshop, context),
    resume: (context) => collect(workshop, context),
    cancelRefusal: () => undefined,
  };
}

async function collect(workshop: Workshop, context: JobContext<CollectPayload>): Promise<JobStatus> {
  const { vaultId, dryRun, force } = context.payload;
  const vault = await getVault(workshop.db, vaultId);
  const report = await context.runTask(dryRun ? planCollectionTask : collectTask, async (task) => {
    await using phase = await workshop.phases.tryEnter('collection', vaultId);
    if (phase === undefined) throw underWay(vault);
    const store = await workshop.estate.store(vault);
    let words = '';
    let said = '';
    const collected = await store.collect({
      dryRun,
      force: force || (await isListingRight(workshop, vault, store)),
      signal: context.signal,
      onProgress({ phase: now, done, total }) {
        words = `${now}: ${done} of ${total}`;
      },
      async pace() {
        if (words === said) return;
        said = words;
        await task.say(words);
      },
    });
    if (!dryRun) await noteCollected(workshop, vaultId);
    return collected;
  });
  const lines = printPlan(report.plan).trimEnd().split('\n');
  const last = lines.pop() ?? '';
  const more = lines.length > planLines ? [`and ${lines.length - planLines} more`] : [];
  await context.setProperties({
    Plan: [...lines.slice(0, planLines), ...more, last].join('\n'),
    ...(dryRun
      ? {}
      : {
          'Bytes given back': String(report.removedBytes),
          'Bytes to be given back later': String(report.condemnedBytes),
          'Packs written anew': String(report.repackedPacks),
        }),
  });
  const { missingChunks, damagedPacks, ranOutOfSpace } = report;
  if (missingChunks === 0 && damagedPacks.length === 0 && !ranOutOfSpace) return 'Completed';
  const isDamaged = missingChunks > 0 || damagedPacks.length > 0;
  await context.setError({
    code: isDamaged ? 'StoreDamaged' : 'StoreFull',
    message: isDamaged
      ? `The store of vault '${vault.name}' is damaged: ${missingChunks} chunks are missing, ${damagedPacks.length} packs could not be written anew.`
      : `Writing packs anew ended early, for the store of vault '${vault.name}' is full.`,
    action: isDamaged
      ? 'Run "holdfast store verify": it names the recovery points that are touched.'
      : 'Collect again a day later, when what is condemned now has been deleted.',
  });
  return 'CompletedWithWarnings';
}
