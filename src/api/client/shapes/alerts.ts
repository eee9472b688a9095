/** What somebody should look at (Holdfast.Fleet/alerts). */
import { z } from 'zod';
import { resource } from './common.ts';

export const alertState = z.enum(['Open', 'Dismissed', 'Resolved']);

export const alert = z.object({
  ...resource,
  properties: z.object({
    kind: z.enum([
      'GuestNotThawed',
      'RecoveryPointsDamaged',
      'StoreNearlyFull',
      'BackupFailed',
      'JobFailed',
      'VerificationOverdue',
      'HostUnreachable',
    ]),
    /** Azure's scale; what is critical is numbered 0 there. */
    severity: z.enum(['Critical', 'Error', 'Warning']),
    /** `Resolved`: over by itself. `Dismissed`: it may go on, and somebody knows. */
    state: alertState,
    /** Name of the VM, host or vault that it is about. */
    target: z.string(),
    message: z.string(),
    /** What to do. */
    action: z.string(),
    firedAt: z.string(),
    resolvedAt: z.string().optional(),
    dismissedAt: z.string().optional(),
    dismissedBy: z.string().optional(),
  }),
});
export type Alert = z.infer<typeof alert>;
