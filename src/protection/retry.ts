import type { ErrorCode } from '../errors/index.ts';

const seconds = 1000;
const minutes = 60 * seconds;

/** What comes back by itself within the hour: a host that restarts, a network that is away. */
const long = [30 * seconds, 90 * seconds, 270 * seconds, 13 * minutes, 30 * minutes] as const;
/** What is over soon, or will not be over at all. */
const short = [30 * seconds, 2 * minutes] as const;

/**
 * The causes that can pass with nobody doing anything, and the waits between the tries. What is not here fails its job
 * at once: a retry of what only a person can mend hides it for as long as it takes.
 */
export const passingCauses = {
  // A host that restarts, or whose libvirt does.
  HostUnreachable: long,
  UserErrorCrpReportedUserError: short,
  // A VM between two states, or with a copy of another tool on its disks.
  UserErrorVmNotInDesirableState: long,
  UserErrorBlockJobRunning: long,
  DiskImageInUse: long,
  DiskImageUnavailable: short,
  // A guest that is busy.
  GuestAgentSnapshotTaskStatusError: short,
  ExtensionFailedTimeoutVMNetworkUnresponsive: short,
  // A store whose server or network is away, or that another process has for a while.
  StoreUnavailable: long,
  StoreLockLost: long,
  StoreInUse: long,
} as const satisfies Partial<Record<ErrorCode, readonly number[]>>;

/** No wait between two tries is longer. */
export const longestRetryWaitMs = Math.max(...Object.values(passingCauses).flat());

/**
 * How long to wait before a job is tried again.
 * @param code of what it failed of
 * @param failures how often it has failed before, of whatever
 * @param random from 0 to 1: spreads the jobs that one cause has failed together, over the later half of the wait
 * @returns milliseconds; undefined when it is not tried again
 */
export function retryWaitMs(code: string, failures: number, random: number): number | undefined {
  if (!Object.hasOwn(passingCauses, code)) return undefined;
  const waits: readonly number[] = passingCauses[code as keyof typeof passingCauses];
  const wait = waits[failures];
  return wait === undefined ? undefined : Math.round(wait * (0.5 + random / 2));
}
