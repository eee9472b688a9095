import { setTimeout as delay } from 'node:timers/promises';
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

/** What asking a guest to freeze came to. */
export interface Freeze {
  /** Undefined: frozen. Otherwise why not, in a sentence. */
  failure: string | undefined;
  windows: boolean;
  limitSeconds: number;
}

/** True when the guest's agent answers within its short deadline. */
export async function pingAgent(virsh: Virsh, uuid: string): Promise<string | undefined> {
  try {
    await virsh.agent(uuid, 'guest-ping', pingSeconds);
    return undefined;
  } catch (error) {
    return `The guest agent does not answer (${reason(error)}).`;
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
 */
export async function freeze(virsh: Virsh, uuid: string): Promise<Freeze> {
  const windows = await isWindows(virsh, uuid);
  const limitSeconds = windows ? freezeSeconds.windows : freezeSeconds.other;
  try {
    const frozen = await virsh.agent(uuid, 'guest-fsfreeze-freeze', limitSeconds);
    const failure = frozen === 0 ? 'The guest agent found no file system to freeze.' : undefined;
    return { failure, windows, limitSeconds };
  } catch (error) {
    const failure = `The guest's file systems could not be frozen (${reason(error)}).`;
    return { failure, windows, limitSeconds };
  }
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
export async function thaw(virsh: Virsh, uuid: string): Promise<Thaw> {
  let thawed: number | undefined;
  let failure: string | undefined;
  for (let attempt = 0; attempt < thawAttempts; attempt++) {
    if (attempt > 0) await delay(thawPauseMs * attempt);
    try {
      const count = await virsh.agent(uuid, 'guest-fsfreeze-thaw', thawSeconds);
      if (typeof count === 'number') thawed = Math.max(thawed ?? 0, count);
      const status = await virsh.agent(uuid, 'guest-fsfreeze-status', statusSeconds);
      if (status === 'thawed') return { confirmed: true, thawed, failure: undefined };
      failure = `the guest agent says '${String(status)}'`;
    } catch (error) {
      failure = reason(error);
      if (/domain is not running|Domain not found/.test(failure)) break; // nobody is there to ask
    }
  }
  return { confirmed: false, thawed, failure };
}
