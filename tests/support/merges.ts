import type { Lab, LabGuest } from '../lab/index.ts';

const timeoutMs = 30_000;

/** Waits until layers of a disk are being merged inside the running guest, any of these disks. */
export async function mergeBegins(lab: Lab, guest: LabGuest, targets: readonly string[]): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    for (const target of targets) {
      const job = await lab.virsh('blockjob', guest.uuid, target, '--info', '--raw');
      if (/^\s*type=/m.test(job)) return;
    }
  }
  throw new Error(`no layers of ${guest.name} are being merged`);
}
