import { type ErrorCode, errorCatalogue } from '../errors/index.ts';
import { pingAgent } from './guest-agent.ts';
import { type GuestFile, readGuestFile } from './guest-files.ts';
import { scriptConfigPath } from './guest-scripts.ts';
import type { HostContext } from './host-context.ts';
import type { MachineView } from './machine-view.ts';
import type { AgentReport } from './types.ts';
import type { Virsh } from './virsh.ts';

const askSeconds = 5;
/** Where distributions keep the program that runs the freeze hooks, with its hooks in a directory of that name and `.d`. */
const usualHooks = ['/etc/qemu/fsfreeze-hook', '/etc/qemu-ga/fsfreeze-hook'] as const;
const agentConfigPath = '/etc/qemu/qemu-ga.conf';
export const hookName = 'holdfast-freeze-hook';

/** Where the agent's freeze hooks are. */
export interface HookPlace {
  /** The program that the agent runs. */
  program: string;
  /** Whether the agent was told to run it; undefined where that can't be seen. */
  enabled: boolean | undefined;
  /** Whether the program is there; undefined where that can't be seen. */
  present: boolean | undefined;
}

/** What the guest's agent is and can do, as far as it says; changes nothing in the guest. */
export async function reportAgent(host: HostContext, view: MachineView): Promise<AgentReport> {
  const { uuid, name, state } = view.status;
  const none = { checkedAt: host.clock.now().toString(), canFreeze: false, fileAccess: false };
  const problem = (code: ErrorCode, message: string) => ({
    problem: { code, message, action: errorCatalogue[code].action },
  });
  if (view.domain.agentChannel === 'absent')
    return {
      ...none,
      status: 'absent',
      ...problem(
        'UserErrorGuestAgentStatusUnavailable',
        `'${name}' has no guest agent channel (org.qemu.guest_agent.0).`,
      ),
    };
  if (state !== 'running')
    return { ...none, status: 'not-running', ...problem('AzureVmOffline', `'${name}' does not run.`) };
  const silent = await pingAgent(host.virsh, uuid);
  if (silent !== undefined) return { ...none, status: 'silent', ...problem(silent.code, silent.message) };

  const { version, may } = await capabilities(host.virsh, uuid);
  const os = await operatingSystem(host.virsh, uuid);
  const freezes = ['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw', 'guest-fsfreeze-status'];
  const canFreeze = freezes.every(may);
  const fileAccess = ['guest-file-open', 'guest-file-read', 'guest-file-write', 'guest-exec'].every(may);
  return {
    checkedAt: none.checkedAt,
    status: canFreeze ? 'ready' : 'cannot-freeze',
    ...(version !== undefined && { version }),
    ...(os !== undefined && { os: os.name }),
    canFreeze,
    fileAccess,
    ...(os?.windows === false && fileAccess && (await hooks(host.virsh, uuid))),
    ...(!canFreeze &&
      problem(
        'UserErrorGuestAgentCannotFreeze',
        `The guest agent of '${name}' may not freeze file systems.`,
      )),
  };
}

async function capabilities(virsh: Virsh, uuid: string) {
  type Info = { version?: string; supported_commands?: { name: string; enabled: boolean }[] };
  const info = await ask<Info>(virsh, uuid, 'guest-info');
  const enabled = new Set(info?.supported_commands?.filter((each) => each.enabled).map((each) => each.name));
  return { version: info?.version, may: (command: string) => enabled.has(command) };
}

async function operatingSystem(virsh: Virsh, uuid: string) {
  type Info = { id?: string; name?: string; 'pretty-name'?: string; 'kernel-release'?: string };
  const info = await ask<Info>(virsh, uuid, 'guest-get-osinfo');
  if (info === undefined) return undefined;
  const name = info['pretty-name'] ?? info.name ?? `Linux ${info['kernel-release'] ?? ''}`.trim();
  return { name, windows: info.id === 'mswindows' };
}

/** Old agents lack a command, and some forbid it; what they don't tell is not known. */
async function ask<T>(virsh: Virsh, uuid: string, command: string): Promise<T | undefined> {
  try {
    return (await virsh.agent(uuid, command, askSeconds)) as T;
  } catch {
    return undefined;
  }
}

async function hooks(virsh: Virsh, uuid: string): Promise<Pick<AgentReport, 'freezeHooks' | 'scripts'>> {
  const place = await findHooks(virsh, uuid);
  const ours = await readGuestFile(virsh, uuid, `${place.program}.d/${hookName}`);
  const config = await readGuestFile(virsh, uuid, scriptConfigPath);
  const state = place.enabled === undefined ? 'unknown' : place.enabled ? 'enabled' : 'disabled';
  return {
    freezeHooks: ours.kind === 'content' ? (state === 'enabled' ? 'holdfast' : 'holdfast-disabled') : state,
    scripts: config.kind === 'content',
  };
}

/** Looks at how the agent was started, and at its settings. */
export async function findHooks(virsh: Virsh, uuid: string): Promise<HookPlace> {
  const commandLine = await readGuestFile(virsh, uuid, '/proc/self/cmdline');
  const settings = await readGuestFile(virsh, uuid, agentConfigPath);
  const named = hookProgram(textOf(commandLine), textOf(settings));
  const candidates = typeof named === 'string' ? [named] : usualHooks;
  for (const program of candidates) {
    const file = await readGuestFile(virsh, uuid, program);
    if (file.kind === 'content') return { program, enabled: named !== false, present: true };
    if (file.kind === 'refused') return { program, enabled: undefined, present: undefined };
  }
  const enabled = commandLine.kind === 'content' ? named !== false : undefined;
  return { program: candidates[0] ?? usualHooks[0], enabled, present: false };
}

const textOf = (file: GuestFile) => (file.kind === 'content' ? file.text : '');

/**
 * The program that an agent runs around a freeze, by its command line (words ended by NUL) and its settings. True: the
 * one it was built with; false: none.
 */
export function hookProgram(commandLine: string, settings: string): string | boolean {
  for (const word of commandLine.split('\0')) {
    const match = /^(?:-F|--fsfreeze-hook)(?:=?(.+))?$/.exec(word);
    if (match !== null) return match[1] ?? true;
  }
  return /^\s*fsfreeze-hook\s*=\s*(\S+)\s*$/m.exec(settings)?.[1] ?? false;
}
