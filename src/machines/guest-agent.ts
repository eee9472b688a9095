import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorCode } from '../errors/index.ts';
import { reason, type Virsh } from './virsh.ts';

/** How long the guest may take to answer a ping before it counts as absent. */
const pingSeconds = 3;
const statusSeconds = 5;
/** Thawing writes back what waited; a guest on slow disks needs a while. */
const thawSeconds = 10;
const thawAttempts = 5;
const thawPauseMs = 1_000;

/** How long a freeze may take, and how long it may hold. Windows' VSS lets go by itself after 10 s. */
export const freezeSeconds = { windows: 10, other: 20 } as const;

/** What stood in the way of a better consistency. */
export interface GuestProblem {
  code: ErrorCode;
  /** A sentence. */
  message: string;
}

/** What asking a guest to freeze came to. */
export interface Freeze {
  /** Undefined: frozen. */
  problem: GuestProblem | undefined;
  windows: boolean;
  /** How long the freeze may hold. */
  limitSeconds: number;
}

/** Undefined when the guest's agent answers within its short deadline. */
export async function pingAgent(virsh: Virsh, uuid: string): Promise<GuestProblem | undefined> {
  try {
    await virsh.agent(uuid, 'guest-ping', pingSeconds);
    return undefined;
  } catch (error) {
    return {
      code: 'UserErrorGuestAgentStatusUnavailable',
      message: `The guest agent does not answer (${reason(error)}).`,
    };
  }
}

export async function isWindows(virsh: Virsh, uuid: string): Promise<boolean> {
  try {
    const info = (await virsh.agent(uuid, 'guest-get-osinfo', statusSeconds)) as { id?: string };
    return info.id === 'mswindows';
  } catch {
    return false; // old agents lack the command; the longer limit then does no harm
  }
}

/**
 * Asks the guest to freeze its file systems. Whatever this returns or throws, the guest may be frozen afterwards, or
 * become so later: the caller owes a {@link thaw}.
 * @param scriptSeconds how long the guest's own scripts may take before the freeze begins
 */
export async function freeze(virsh: Virsh, uuid: string, scriptSeconds: number): Promise<Freeze> {
  const windows = await isWindows(virsh, uuid);
  const limitSeconds = windows ? freezeSeconds.windows : freezeSeconds.other;
  try {
    const frozen = await virsh.agent(uuid, 'guest-fsfreeze-freeze', limitSeconds + scriptSeconds);
    const problem: GuestProblem | undefined =
      frozen === 0
        ? { code: 'UserErrorFsFreezeFailed', message: 'The guest agent found no file system to freeze.' }
        : undefined;
    return { problem, windows, limitSeconds };
  } catch (error) {
    const said = reason(error);
    const message = `The guest's file systems could not be frozen (${said}).`;
    return { problem: { code: codeOfFailedFreeze(said, windows), message }, windows, limitSeconds };
  }
}

/** What the guest agent and libvirt say of a freeze that failed. The first match counts. */
const meanings: readonly (readonly [RegExp, ErrorCode])[] = [
  [/not responding|not connected|not available|did not finish in time/i, 'GuestAgentSnapshotTaskStatusError'],
  [/has been disabled|has not been found|not found|unsupported/i, 'UserErrorGuestAgentCannotFreeze'],
  [/\bhook\b/i, 'UserErrorFsFreezeHookFailed'],
  [/failed to open/i, 'UserErrorUnableToOpenMount'],
];

/** The code for a freeze that failed, from what was said about it. */
export function codeOfFailedFreeze(said: string, windows: boolean): ErrorCode {
  const code = meanings.find(([pattern]) => pattern.test(said))?.[1];
  if (code !== undefined) return code;
  return windows ? 'ExtensionFailedVssWriterInBadState' : 'UserErrorFsFreezeFailed';
}

/** What thawing came to. */
export interface Thaw {
  /** The agent itself said that nothing is frozen any more. */
  confirmed: boolean;
  /** How many file systems the thaw let go; 0: none was frozen (any more). Undefined: not told. */
  thawed: number | undefined;
  /** What went wrong last, when it is not confirmed. */
  failure: string | undefined;
}

/**
 * Thaws and asks whether it worked, again and again within a bound. The freeze command itself may still be on its
 * way through a slow agent, so one `thawed` answer is only believed after a thaw that succeeded.
 */
export async function thaw(
  virsh: Virsh,
  uuid: string,
  options: { attempts?: number; signal?: AbortSignal | undefined } = {},
): Promise<Thaw> {
  const { attempts = thawAttempts, signal } = options;
  let thawed: number | undefined;
  let failure: string | undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await delay(thawPauseMs * attempt, undefined, { signal });
    try {
      const count = await virsh.agent(uuid, 'guest-fsfreeze-thaw', thawSeconds, undefined, signal);
      if (typeof count === 'number') thawed = Math.max(thawed ?? 0, count);
      const status = await virsh.agent(uuid, 'guest-fsfreeze-status', statusSeconds, undefined, signal);
      if (status === 'thawed') return { confirmed: true, thawed, failure: undefined };
      failure = `the guest agent says '${String(status)}'`;
    } catch (error) {
      signal?.throwIfAborted();
      failure = reason(error);
      if (/domain is not running|Domain not found/.test(failure)) break; // nobody is there to ask
    }
  }
  return { confirmed: false, thawed, failure };
}
