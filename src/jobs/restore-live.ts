import { rm } from 'node:fs/promises';
import { type Database, getItem, listOpenJobs } from '../catalog/index.ts';
import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { MachineDefinition } from '../machines/index.ts';
import type { JobStatus } from '../protection/index.ts';
import { jobErrorOf } from './engine.ts';
import type { JobContext } from './job-context.ts';
import { liveSocketPath, serveLiveDisks } from './live-disks.ts';
import type { Placing } from './placing.ts';
import type { RestorePayload } from './restore-payload.ts';
import { imageOwner, openFrom } from './restore-places.ts';
import { isLive, type RestorePlan } from './restore-plan.ts';
import { attachVault, detachVault } from './restore-tasks.ts';
import type { Workshop } from './workshop.ts';

/** How often, and how long at most, a VM is tried to be made independent that still needs the vault: for three days. */
const againMs = 5_000;
const attempts = (3 * 24 * 3600 * 1000) / againMs;

/**
 * A restore whose VM runs before its disks are there. They are served from the store over NBD, the VM's images are
 * overlays over that, and QEMU copies what they lack in the background.
 *
 * As long as the VM leans on the vault, the job runs: whatever happens, the disks are served again and the copying
 * goes on, after a restart of the service, too. A guest that wants something meanwhile is paused, not told of an error,
 * and resumed afterwards.
 */
export class LiveRestore implements AsyncDisposable {
  readonly #workshop: Workshop;
  readonly #context: JobContext<RestorePayload>;
  #server: AsyncDisposable | undefined;
  /** Since it serves, a read has failed. */
  #hasFailed = false;

  constructor(workshop: Workshop, context: JobContext<RestorePayload>) {
    this.#workshop = workshop;
    this.#context = context;
  }

  /** Begins to serve the disks, and makes the images that stand on them. */
  async attach(plan: RestorePlan, placing: Placing): Promise<void> {
    const { options, itemId } = this.#context.payload;
    const socketPath = liveSocketPath(options.directory, this.#context.jobId);
    await this.#context.runTask(attachVault, async () => {
      await this.#serve();
      const item = await getItem(this.#workshop.db, itemId);
      const host = await this.#workshop.estate.host(item.host_name);
      for (const { target, path, sizeBytes } of plan.disks) {
        const disk = { path: placing.partialPath(path), sizeBytes, socketPath, exportName: target };
        await host.createLiveDisk(disk, this.#context.signal);
        await placing.publish(path);
      }
    });
  }

  /**
   * Copies into the disks of the VM what they lack, until they need the vault no more. Returns how the job ends: it
   * fails only when the VM is gone, or needs the vault still after days.
   */
  async detach(definition: MachineDefinition): Promise<JobStatus> {
    await this.#context.runTask(detachVault, async (task) => {
      const totalBytes = this.#context.payload.point.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      let figures = { processedBytes: 0, totalBytes, readBytes: 0, newBytes: 0, storedBytes: 0 };
      task.reportProgress(() => figures);
      const onProgress = (done: number, total: number) => {
        figures = { ...figures, processedBytes: done, totalBytes: total, readBytes: done, storedBytes: done };
      };
      for (let attempt = 1; ; attempt++) {
        try {
          if (this.#server === undefined) await this.#serve();
          await this.#detachOnce(definition, onProgress);
          figures = { ...figures, processedBytes: figures.totalBytes };
          return;
        } catch (error) {
          this.#context.signal.throwIfAborted();
          if (isHoldfastError(error, 'UserErrorVmNotFoundV2') || attempt >= attempts) throw error;
          const { code, message } = jobErrorOf(error);
          this.#workshop.log.warn(
            { jobId: this.#context.jobId, code, err: error },
            'live disks not copied yet',
          );
          await task.say(`Tried again, because: ${message}`);
        }
        await this.#workshop.clock.sleep(againMs, this.#context.signal);
        // The guest needs what it runs from meanwhile, so this is kept as long as it can be read. After that the store
        // has been closed, or is to be opened anew.
        if (this.#hasFailed) await this.#stop();
      }
    });
    return 'Completed';
  }

  async #detachOnce(
    definition: MachineDefinition,
    onProgress: (done: number, total: number) => void,
  ): Promise<void> {
    const { itemId, machineUuid } = this.#context.payload;
    const item = await getItem(this.#workshop.db, itemId);
    const host = await this.#workshop.estate.host(item.host_name);
    const { signal } = this.#context;
    await host.detachLiveMachine(machineUuid, definition, { onProgress, signal });
  }

  async #serve(): Promise<void> {
    const { options, itemId, point, store: from } = this.#context.payload;
    const item = await getItem(this.#workshop.db, itemId);
    this.#hasFailed = false;
    const onError = (error: unknown) => {
      this.#hasFailed = true;
      this.#workshop.log.error(
        { jobId: this.#context.jobId, err: error },
        `a read of a live disk failed: ${messageOf(error)}`,
      );
    };
    this.#server = await serveLiveDisks({
      store: await openFrom(this.#workshop, item.vault_id, from),
      itemId,
      pointId: point.pointId,
      targets: point.disks.map(({ target }) => target),
      socketPath: liveSocketPath(options.directory, this.#context.jobId),
      owner: await imageOwner(this.#workshop, item),
      onError,
    });
  }

  /** Removes what a process that died before the VM was made left beside the disks. */
  async discard(): Promise<void> {
    const { options } = this.#context.payload;
    if (isLive(options)) await rm(liveSocketPath(options.directory, this.#context.jobId), { force: true });
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

/** Recovery points that VMs run from right now: removing one would take their disks away from under them. */
export async function pointsRunFrom(db: Database): Promise<Set<string>> {
  const restores = (await listOpenJobs(db)).filter(({ operation }) => operation === 'Restore');
  return new Set(
    restores.flatMap(({ payload_json }) => {
      const { options, point } = JSON.parse(payload_json) as RestorePayload;
      return isLive(options) ? [point.pointId] : [];
    }),
  );
}
