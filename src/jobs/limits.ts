import type { Database } from '../catalog/index.ts';
import type { Clock } from './clock.ts';
import { type Claim, Gate } from './gate.ts';
import type { Logger } from './logger.ts';
import { PhaseGuard } from './phase-guard.ts';
import type { Worker } from './worker.ts';

/** What may happen at once. */
export interface Limits {
  phases: PhaseGuard;
  /** Transfers to vaults at once: overall, from one host and to one store. */
  transfers: Gate;
  /** Restores that copy data at once. Apart from the transfers: a restore never queues behind the nightly backups. */
  restores: Gate;
  /** Replications to second stores at once. They take turns apart from everybody else: nobody waits for them. */
  replications: Gate;
  /** Verifications of whole stores at once: one after the other, for they are in no hurry. */
  verifications: Gate;
  /** Snapshots taken at once, per host. */
  snapshots: Gate;
  /** Merges of layers, per host: they compete with the guests for its disks. */
  merges: Gate;
}

/** How many transfers may run at once. */
export interface TransferLimits {
  overall: number;
  perHost: number;
  perStore: number;
}

/** Two keep two processors and a disk busy; who has more of either says so. */
export const defaultTransferLimits: TransferLimits = { overall: 2, perHost: 2, perStore: 2 };

/** What a transfer claims. */
export const transferClaim = (hostName: string, vaultId: string, ahead: boolean): Claim => ({
  names: [`host ${hostName}`, `store of ${vaultId}`],
  ahead,
});

export function createLimits(
  db: Database,
  clock: Clock,
  log: Logger,
  worker: Worker,
  { overall, perHost, perStore } = defaultTransferLimits,
): Limits {
  return {
    phases: new PhaseGuard(db, clock, log, worker),
    transfers: new Gate({ overall, of: (name) => (name.startsWith('host ') ? perHost : perStore) }),
    restores: new Gate(2),
    replications: new Gate(2),
    verifications: new Gate(1),
    snapshots: new Gate({ of: () => 4 }),
    merges: new Gate({ of: () => 1 }),
  };
}
