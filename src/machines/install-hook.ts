import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../errors/index.ts';
import { findHooks, hookName, reportAgent } from './agent-report.ts';
import { writeGuestFile } from './guest-files.ts';
import type { HostContext } from './host-context.ts';
import type { MachineView } from './machine-view.ts';
import type { HookInstallation } from './types.ts';
import { reason, type Virsh } from './virsh.ts';

const execTimeoutMs = 30_000;
const pollMs = 200;

/** The freeze hook, as it is put into a guest. */
export async function freezeHook(): Promise<string> {
  return readFile(join(import.meta.dirname, 'freeze-hook/holdfast-freeze-hook.sh'), 'utf8');
}

/**
 * Puts the freeze hook into the guest, through its agent. Written aside and moved into place whole; doing it again
 * replaces it.
 * @throws UserErrorGuestAgentStatusUnavailable, UserErrorGuestFileAccessNotAllowed, AzureVmOffline
 */
export async function installFreezeHook(host: HostContext, view: MachineView): Promise<HookInstallation> {
  const { uuid, name } = view.status;
  const report = await reportAgent(host, view);
  if (report.problem !== undefined && report.status !== 'cannot-freeze')
    throw new HoldfastError(report.problem.code, report.problem.message, { target: name });
  if (!report.fileAccess)
    throw refused(name, 'it does not allow guest-file-open, -read, -write and guest-exec');
  const place = await findHooks(host.virsh, uuid);
  const directory = `${place.program}.d`;
  const path = `${directory}/${hookName}`;
  const aside = `${directory}/.${hookName}.new`;
  try {
    await execute(host.virsh, uuid, 'mkdir -p "$1"', directory);
    await writeGuestFile(host.virsh, uuid, aside, await freezeHook());
    // runs it once before it counts: a hook that can't run would stop every freeze
    await execute(
      host.virsh,
      uuid,
      'chown 0:0 "$1" && chmod 755 "$1" && "$1" check && mv -f "$1" "$2"',
      aside,
      path,
    );
  } catch (error) {
    throw refused(name, reason(error), error);
  }
  const left: string[] = [];
  if (place.present === false)
    left.push(`${place.program} is missing in the guest: it has to run every program in ${directory}.`);
  if (place.enabled !== true)
    left.push(
      `Have the agent started with --fsfreeze-hook=${place.program}, or put "fsfreeze-hook=${place.program}" under ` +
        '[general] of /etc/qemu/qemu-ga.conf in the guest, and restart it.',
    );
  return { path, left };
}

function refused(name: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'UserErrorGuestFileAccessNotAllowed',
    `The freeze hook can't be put into '${name}' through its agent: ${why}.`,
    { target: name, ...(cause !== undefined && { cause }) },
  );
}

/** Runs a line of shell in the guest to its end. @throws with what it printed when it fails */
async function execute(virsh: Virsh, uuid: string, line: string, ...parameters: string[]): Promise<void> {
  const { pid } = (await virsh.agent(uuid, 'guest-exec', 10, {
    path: '/bin/sh',
    arg: ['-c', line, 'sh', ...parameters],
    'capture-output': true,
  })) as { pid: number };
  const deadline = performance.now() + execTimeoutMs;
  for (;;) {
    const status = (await virsh.agent(uuid, 'guest-exec-status', 10, { pid })) as {
      exited: boolean;
      exitcode?: number;
      'err-data'?: string;
    };
    if (status.exited) {
      if (status.exitcode === 0) return;
      const said = Buffer.from(status['err-data'] ?? '', 'base64')
        .toString('utf8')
        .trim();
      throw new Error(said === '' ? `a command in the guest failed with ${status.exitcode}` : said);
    }
    if (performance.now() > deadline) throw new Error('a command in the guest does not come to its end');
    await delay(pollMs);
  }
}
