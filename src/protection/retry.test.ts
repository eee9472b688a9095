import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ErrorCode, errorCatalogue } from '../errors/index.ts';
import { longestRetryWaitMs, passingCauses, retryWaitMs } from './retry.ts';

const waitsOf = (code: string, random: number) =>
  Array.from({ length: 8 }, (_, failures) => retryWaitMs(code, failures, random));

it('waits ever longer for a host or a store, five times, and then gives up', () => {
  const never = [undefined, undefined, undefined];
  for (const code of ['HostUnreachable', 'StoreUnavailable', 'StoreLockLost', 'StoreInUse']) {
    expect(waitsOf(code, 1)).toEqual([30_000, 90_000, 270_000, 780_000, 1_800_000, ...never]);
    expect(waitsOf(code, 0)).toEqual([15_000, 45_000, 135_000, 390_000, 900_000, ...never]);
  }
  expect(longestRetryWaitMs).toBe(1_800_000);
});

it('tries twice more what is over soon or not at all', () => {
  expect(waitsOf('GuestAgentSnapshotTaskStatusError', 1).slice(0, 3)).toEqual([30_000, 120_000, undefined]);
  expect(waitsOf('UserErrorCrpReportedUserError', 1).slice(0, 3)).toEqual([30_000, 120_000, undefined]);
});

it('never tries again what only a person can mend', () => {
  const forPeople: ErrorCode[] = [
    'StoreFull',
    'HomeFull',
    'UserErrorHostStorageFull',
    'StoreAccessDenied',
    'StoreDamaged',
    'StoreKeyWrong',
    'VaultLocked',
    'UserErrorVmNotFoundV2',
    'UserErrorDiskChainChanged',
    'UserErrorFsFreezeFailed',
    'UserErrorRpCollectionLimitReached',
    'Pre-ScriptExecutionFailed',
    'JobInterrupted',
    'InvalidInput',
    'InternalError',
  ];
  for (const code of [...forPeople, 'no code of ours', 'constructor', 'toString'])
    expect(retryWaitMs(code, 0, 1), code).toBeUndefined();
});

it('takes for passing only what the catalogue calls worth trying again', () => {
  for (const code of Object.keys(passingCauses) as (keyof typeof passingCauses)[])
    expect(errorCatalogue[code].retryable, code).toBe(true);
});

it('grows from try to try whatever chance says, and ends', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true });
  const codes = fc.constantFrom(...Object.keys(passingCauses));
  fc.assert(
    fc.property(codes, fc.nat(10), random, random, (code, failures, a, b) => {
      const [before, after] = [retryWaitMs(code, failures, a), retryWaitMs(code, failures + 1, b)];
      if (before === undefined) expect(after).toBeUndefined();
      else expect(after ?? longestRetryWaitMs + 1).toBeGreaterThan(before);
    }),
  );
});
