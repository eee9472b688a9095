import type { ProtectedItem } from '../../../../src/api/client/browser.ts';

/** State of an item in one word; Azure tells what is soft-deleted by a flag. */
export const stateOf = ({ properties }: ProtectedItem): string =>
  properties.isScheduledForDeferredDelete ? 'SoftDeleted' : properties.protectionState;

/** Whether backups of it are being taken. */
export const isBackedUp = (item: ProtectedItem): boolean =>
  ['IRPending', 'Protected', 'ProtectionError'].includes(stateOf(item));
