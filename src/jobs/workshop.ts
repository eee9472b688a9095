import type { Database } from '../catalog/index.ts';
import type { BackgroundWork } from './background-work.ts';
import type { Clock } from './clock.ts';
import type { JobEngine } from './engine.ts';
import type { Estate } from './estate.ts';
import type { Limits } from './limits.ts';
import type { Logger } from './logger.ts';

/** What the operations work with. */
export interface Workshop extends Limits {
  db: Database;
  estate: Estate;
  engine: JobEngine;
  /** Where maintenance runs. */
  background: BackgroundWork;
  clock: Clock;
  log: Logger;
  /** Aborted when the service stops. */
  signal: AbortSignal;
  /** How long a refused snapshot waits for its one retry. */
  snapshotRetryDelayMs: number;
  /** How long ended jobs can be looked up. */
  jobHistoryDays: number;
}
