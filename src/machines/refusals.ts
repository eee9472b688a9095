import { HoldfastError } from '../errors/index.ts';
import { RunError } from '../platform/index.ts';
import { reason } from './virsh.ts';

/** What libvirt says when a domain is not in the state it was in a moment before, or is busy. */
const changedMeanwhile =
  /domain is not (running|active)|domain is already active|state change lock|not valid: domain is/i;

/**
 * Gives a code to what a program on the host refused and nothing inside foresaw: a VM may change its state between any
 * two calls.
 * @throws UserErrorVmNotInDesirableState, UserErrorCrpReportedUserError
 */
export async function withCodes<T>(target: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    const said = reason(error);
    const code = changedMeanwhile.test(said)
      ? 'UserErrorVmNotInDesirableState'
      : 'UserErrorCrpReportedUserError';
    throw new HoldfastError(code, `The host refused: ${said}.`, {
      cause: error,
      ...(target === undefined ? {} : { target }),
    });
  }
}
