import { HoldfastError } from '../errors/index.ts';
import type { HostContext } from './host-context.ts';
import { imageInfo } from './images/index.ts';
import { chainsOf, viewMachine } from './machine-view.ts';
import { reason } from './virsh.ts';

const pollMs = 250;
/** A pull that gets nowhere for this long is given up; the VM goes on leaning on what is below. */
const stallMs = 10 * 60_000;

export interface PullOptions {
  /** Bytes of all the disks that stand on their own, of their sizes. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/**
 * Makes disks of a running machine independent of what is below their active images, one after the other.
 * @param disks path of the active image, by target
 * @throws DiskMergeFailed
 */
export async function pullDisks(
  host: HostContext,
  uuid: string,
  disks: ReadonlyMap<string, string>,
  options: PullOptions,
): Promise<void> {
  const progress = new Map<string, { done: number; total: number }>();
  for (const [target, path] of disks) {
    const { virtualSizeBytes } = await imageInfo(path, { format: 'qcow2' });
    progress.set(target, { done: 0, total: virtualSizeBytes });
  }
  const report = () => {
    const all = [...progress.values()];
    options.onProgress?.(sum(all.map(({ done }) => done)), sum(all.map(({ total }) => total)));
  };
  report();
  for (const [target, own] of progress) {
    await pull(host, uuid, target, options.signal, (done) => {
      own.done = Math.min(done, own.total);
      report();
    });
    own.done = own.total; // a small disk is done before it is asked about
    report();
  }
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

async function pull(
  host: HostContext,
  uuid: string,
  target: string,
  signal: AbortSignal | undefined,
  onProgress: (done: number) => void,
): Promise<void> {
  const running = await host.virsh.blockJob(uuid, target, signal);
  if (running !== undefined && running.type !== 'Block Pull')
    throw notFlattened(uuid, target, `it has another block job (${running.type})`, undefined);
  if (running === undefined) {
    try {
      await host.virsh.call(['blockpull', uuid, target]);
    } catch (error) {
      throw notFlattened(uuid, target, reason(error), error);
    }
  }
  let moved = host.clock.monotonicMs();
  for (let last = -1; ; ) {
    const job = await host.virsh.blockJob(uuid, target);
    if (job === undefined) break;
    const now = host.clock.monotonicMs();
    if (job.cur !== last) [last, moved] = [job.cur, now];
    onProgress(job.cur);
    const stalled = now - moved > stallMs;
    try {
      if (stalled) throw notFlattened(uuid, target, 'it made no progress', undefined);
      await host.clock.sleep(pollMs, signal);
    } catch (error) {
      await host.virsh.abortBlockJob(uuid, target);
      throw error;
    }
  }
  const chain = (await chainsOf(await viewMachine(host, uuid))).get(target);
  if (chain?.length !== 1)
    throw notFlattened(uuid, target, 'the job ended before its work was done', undefined);
}

function notFlattened(uuid: string, target: string, why: string, cause: unknown): HoldfastError {
  return new HoldfastError('DiskMergeFailed', `Disk ${target} could not be made independent: ${why}.`, {
    target: uuid,
    ...(cause !== undefined && { cause }),
  });
}
