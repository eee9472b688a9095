import type { Database } from '../catalog/index.ts';
import type { Clock } from './clock.ts';
import { Gate, GatePerName } from './gate.ts';
import type { Logger } from './logger.ts';
import { PhaseGuard } from './phase-guard.ts';
import type { Worker } from './worker.ts';

/** What may happen at once. */
export interface Limits {
  phases: PhaseGuard;
  /** Transfers to vaults that use the machine at once. */
  transfers: Gate;
  /** Restores that copy data at once. Apart from the transfers: a restore never queues behind the nightly backups. */
  restores: Gate;
  /** Replications to second stores at once. They take turns apart from everybody else: nobody waits for them. */
  replications: Gate;
  /** Verifications of whole stores at once: one after the other, for they are in no hurry. */
  verifications: Gate;
  /** Snapshots taken at once, per host. */
  snapshots: GatePerName;
  /** Merges of layers, per host: they compete with the guests for its disks. */
  merges: GatePerName;
}

export function createLimits(db: Database, clock: Clock, log: Logger, worker: Worker): Limits {
  return {
    phases: new PhaseGuard(db, clock, log, worker),
    transfers: new Gate(2),
    restores: new Gate(2),
    replications: new Gate(2),
    verifications: new Gate(1),
    snapshots: new GatePerName(4),
    merges: new GatePerName(1),
  };
}
