import { HoldfastError } from '../errors/index.ts';
import type { HostContext } from './host-context.ts';
import { absorbBacking, imageInfo, standsOnNbd } from './images/index.ts';
import { disksThatPause, withErrorPoliciesOf } from './live-disk-xml.ts';
import { type MachineView, viewMachine } from './machine-view.ts';
import { type PullOptions, pullDisks } from './pull-disks.ts';

/** How long QEMU may take to find the server again after it was away, and how often it is asked to go on. */
const wakeTimeoutMs = 60_000;
const wakeAgainMs = 500;

/**
 * Looks at the machine before it is given up: it may be shut off, or started, in between; and of each of its disks the
 * first request fails after QEMU has lost the server, whoever makes it.
 */
const maxRounds = 20;

/**
 * Makes a machine independent of the NBD server its disks stand on, whatever it does meanwhile: one that runs pulls
 * what it lacks, one that is off has it copied. One that was paused for want of the server goes on. Afterwards its
 * disks treat errors as those of `definitionXml` do, from its next start on.
 *
 * The server has to be there until this returns. Everything may be asked for again after it threw, or died.
 * @throws UserErrorVmNotFoundV2, DiskMergeFailed, DiskImageUnavailable, UserErrorHostStorageFull
 */
export async function detachLiveMachine(
  host: HostContext,
  uuid: string,
  definitionXml: string,
  options: PullOptions,
): Promise<void> {
  for (let round = 1; ; round++) {
    const view = await viewMachine(host, uuid, options.signal);
    const live = await liveDisks(view, options.signal);
    if (live.size === 0) break;
    if (!view.active) {
      for (const path of live.values()) await absorbBacking(path, options.signal);
      continue;
    }
    try {
      await wake(host, view.status.uuid, options.signal);
      await pullDisks(host, view.status.uuid, live, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (round >= maxRounds) throw error;
      await host.clock.sleep(wakeAgainMs, options.signal);
    }
  }
  await restorePolicies(host, uuid, definitionXml);
}

/** Path of the active image, by target, of the disks that stand on an NBD server. */
async function liveDisks(view: MachineView, signal: AbortSignal | undefined): Promise<Map<string, string>> {
  const live = new Map<string, string>();
  for (const { target, device, chain } of view.domain.disks) {
    const [top] = chain;
    if (device !== 'disk' || top?.path === undefined || top.format !== 'qcow2') continue;
    const info = await imageInfo(top.path, { format: 'qcow2', ...(signal && { signal }) });
    if (standsOnNbd(info)) live.set(target, top.path);
  }
  return live;
}

/** Resumes a machine that an error has paused. QEMU needs a moment to connect, so the first try may pause it again. */
async function wake(host: HostContext, uuid: string, signal: AbortSignal | undefined): Promise<void> {
  const deadline = host.clock.monotonicMs() + wakeTimeoutMs;
  while (await host.virsh.isPausedByError(uuid)) {
    if (host.clock.monotonicMs() > deadline)
      throw new HoldfastError('DiskMergeFailed', 'The VM is paused by an I/O error and does not go on.', {
        target: uuid,
        action: 'Look at the log of QEMU for what its disks report, then resume the VM.',
      });
    await host.virsh.resume(uuid);
    await host.clock.sleep(wakeAgainMs, signal);
  }
}

async function restorePolicies(host: HostContext, uuid: string, definitionXml: string): Promise<void> {
  const { inactiveXml, status } = await viewMachine(host, uuid);
  const pausing = disksThatPause(inactiveXml);
  if (!status.persistent || pausing.size === 0) return;
  await host.virsh.define(withErrorPoliciesOf(inactiveXml, definitionXml, pausing));
}
