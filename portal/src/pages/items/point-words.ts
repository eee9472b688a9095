import type { RecoveryPoint } from '../../../../src/api/client/browser.ts';

export const consistencies = [
  ['AppConsistent', 'Application consistent'],
  ['FileSystemConsistent', 'File-system consistent'],
  ['CrashConsistent', 'Crash consistent'],
] as const;
export type Consistency = (typeof consistencies)[number][0];

export const consistencyWord = (type: Consistency) =>
  consistencies.find(([known]) => known === type)?.[1] ?? type;

/** Whether a point is in a tier: `InstantRP` is the snapshot, `HardenedRP` the vault. */
export const isIn = ({ properties }: RecoveryPoint, type: 'InstantRP' | 'HardenedRP') =>
  properties.recoveryPointTierDetails.some((tier) => tier.type === type && tier.status === 'Valid');

/** In which tiers a point is, in Azure's words. */
export function tiersOf(point: RecoveryPoint): string {
  const tiers = [
    ...(isIn(point, 'InstantRP') ? ['Snapshot'] : []),
    ...(isIn(point, 'HardenedRP') ? ['Vault-Standard'] : []),
  ];
  return tiers.join(' and ');
}

export const sizeOf = (point: RecoveryPoint): number =>
  point.properties.holdfast.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
