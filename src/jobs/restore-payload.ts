import type { PlacingNotes } from './placing.ts';
import type { RestoreOptions, StoreChoice, Tier } from './restore-plan.ts';
import type { StoredPoint } from './stored-point.ts';

/** What a restore job knows and notes down. */
export interface RestorePayload extends PlacingNotes {
  options: RestoreOptions;
  itemId: string;
  point: StoredPoint;
  tier: Tier;
  vaultAsFallback: boolean;
  /** Which store a restore from the vault reads; and whether the replica may stand in for it. */
  store: StoreChoice;
  replicaAsFallback: boolean;
  /** Of `original`: the id of the point that keeps what the VM has now, chosen before it is taken. */
  pointBefore?: string;
  /** Identity of the new VM, chosen before it exists, so that it can be looked for after a crash. */
  machineUuid: string;
  /** From here on the VM may exist, and its disks are no longer ours to remove. */
  defining?: boolean;
  /** The disks have gaps: the point was damaged, and the caller wanted what is left. */
  hasGaps?: boolean;
}
