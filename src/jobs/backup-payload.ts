/** Azure's names of the two phases. */
export const takeSnapshot = 'Take Snapshot';
export const transferToVault = 'Transfer data to vault';

export interface BackupPayload {
  itemId: string;
  pointId: string;
  /** Undefined for a scheduled backup. */
  onDemand?: { until?: string };
  /** The scheduled time it was started for; undefined on demand, and for one that is due whenever it is taken. */
  runAt?: string;
  /** Set once the snapshot is taken: nothing asks for the point in the vault. */
  staysSnapshot?: true;
}

export function onDemandOf({ onDemand }: BackupPayload): { until?: Temporal.Instant } | undefined {
  if (onDemand?.until === undefined) return onDemand === undefined ? undefined : {};
  return { until: Temporal.Instant.from(onDemand.until) };
}
