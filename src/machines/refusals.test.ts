import { expect, it } from 'vitest';
import { RunError } from '../platform/index.ts';
import { withCodes } from './refusals.ts';

const refused = (stderr: string) =>
  withCodes('vm', async () => {
    throw new RunError('failed', ['virsh'], { stdout: '', stderr, code: 1, signal: null });
  });

it('says that a VM changed its state meanwhile, which is worth another try', async () => {
  await expect(
    refused('error: Requested operation is not valid: domain is not running'),
  ).rejects.toMatchObject({ code: 'UserErrorVmNotInDesirableState', retryable: true, target: 'vm' });
});

it('gives any other refusal a code and the words of the host', async () => {
  await expect(refused('error: internal error: no luck')).rejects.toMatchObject({
    code: 'UserErrorCrpReportedUserError',
    message: expect.stringContaining('no luck'),
  });
});

it('leaves everything else as it is', async () => {
  const bug = new TypeError('a bug');
  await expect(
    withCodes(undefined, async () => {
      throw bug;
    }),
  ).rejects.toBe(bug);
});
