import type { Alert } from '../../../../src/api/client/browser.ts';

export const alertWords: Record<Alert['properties']['kind'], string> = {
  GuestNotThawed: 'Guest not thawed',
  RecoveryPointsDamaged: 'Damaged recovery points',
  StoreNearlyFull: 'Store nearly full',
  BackupFailed: 'Backup failed',
  JobFailed: 'Failed job',
  VerificationOverdue: 'Verification overdue',
  HostUnreachable: 'Host unreachable',
};
