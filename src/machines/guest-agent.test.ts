import { expect, it } from 'vitest';
import { codeOfFailedFreeze } from './guest-agent.ts';

const agent = "internal error: unable to execute QEMU agent command 'guest-fsfreeze-freeze': ";

it.each([
  ['Guest agent is not responding: Guest agent not available for now', 'GuestAgentSnapshotTaskStatusError'],
  ['argument unsupported: QEMU guest agent is not connected', 'GuestAgentSnapshotTaskStatusError'],
  ['virsh did not finish in time', 'GuestAgentSnapshotTaskStatusError'],
  [
    `${agent}The command guest-fsfreeze-freeze has been disabled for this instance`,
    'UserErrorGuestAgentCannotFreeze',
  ],
  [`${agent}The command guest-fsfreeze-freeze has not been found`, 'UserErrorGuestAgentCannotFreeze'],
  [`${agent}fsfreeze hook has failed with status 1`, 'UserErrorFsFreezeHookFailed'],
  [`${agent}failed to open /mnt/share: Stale file handle`, 'UserErrorUnableToOpenMount'],
  [`${agent}failed to freeze /mnt/vda: Input/output error`, 'UserErrorFsFreezeFailed'],
])('gives what was said of a freeze its code: %s', (said, code) => {
  expect(codeOfFailedFreeze(said, false)).toBe(code);
});

it('takes what Windows gives no better reason for as the fault of its writers', () => {
  expect(codeOfFailedFreeze(`${agent}failed to add C: to snapshot set`, true)).toBe(
    'ExtensionFailedVssWriterInBadState',
  );
});
