import type { PointRow } from '../catalog/index.ts';
import { chainLimits } from '../machines/index.ts';
import type { StoredPoint } from './stored-point.ts';

/** Overlays that are left free for backups which run while something is kept. */
const spareOverlays = 8;

/** Snapshots that the host carries of this VM: each is an image more in the chain of each of its disks. */
export function hostCarries(points: readonly PointRow[]): number {
  const newest = points.findLast((point) => point.in_snapshot === 1);
  const disks = newest === undefined ? 1 : (JSON.parse(newest.frozen_json) as StoredPoint).disks.length;
  const { overlays, machineImages } = chainLimits;
  return Math.min(overlays, Math.floor(machineImages / Math.max(1, disks))) - spareOverlays;
}
