import type { ImageLayer } from './images/index.ts';
import { layersAbove } from './images/index.ts';
import type { ImageIdentity, Ledger, LedgerDisk, LedgerPoint } from './ledger.ts';
import type { ExtentBasis } from './types.ts';

/**
 * What to do about the layers, decided from plain data: the ledger, the image chains as they are now (active image
 * first), and what has changed on the file system. Nothing here touches anything.
 */

/**
 * What a machine may have before it takes another point. The most snapshots that a policy keeps are 102 (every 4 hours
 * for 17 days); libvirt takes chains of 200 images; and a QEMU holds each of them open, with 1024 descriptors under
 * libvirt's own unit.
 */
export const chainLimits = {
  /** Overlays of ours in the chain of one disk. */
  overlays: 128,
  /** Images in the chain of one disk, whosesoever. */
  images: 190,
  /** Images of all disks of one machine. */
  machineImages: 800,
} as const;

const overlayPattern = /^[A-Za-z0-9_-]+\.holdfast-[0-9a-f]{8}\.[A-Za-z0-9][A-Za-z0-9-]*\.qcow2$/;

/** File name of the overlay that a point puts on a disk: `vda.holdfast-1a2b3c4d.<pointId>.qcow2`. */
export function overlayName(target: string, machineUuid: string, pointId: string): string {
  return `${target}.holdfast-${machineUuid.slice(0, 8)}.${pointId}.qcow2`;
}

/** Whether a file name looks like one of {@link overlayName}, of whatever VM. */
export function isOverlayName(name: string): boolean {
  return overlayPattern.test(name);
}

export function isPointId(pointId: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/.test(pointId);
}

/** What the ledger has about one disk, oldest first. */
export function entriesOf(ledger: Ledger, target: string): { point: LedgerPoint; disk: LedgerDisk }[] {
  return ledger.points.flatMap((point) =>
    point.disks.filter((disk) => disk.target === target).map((disk) => ({ point, disk })),
  );
}

/** How one disk of a point can be read. */
export type DiskPlan =
  | { readable: true; layers: ImageLayer[]; basis: ExtentBasis }
  | { readable: false; reason: string };

/**
 * @param chain the disk's images now, active one first (of a VM that is gone: from the point's frozen image down)
 * @param changed whether a frozen image no longer is what was frozen
 */
export function planRead(
  request: { ledger: Ledger; target: string; pointId: string; since: string | undefined },
  chain: readonly ImageLayer[],
  changed: (identity: ImageIdentity) => boolean,
): DiskPlan {
  const entries = entriesOf(request.ledger, request.target);
  const at = entries.findIndex(({ point }) => point.pointId === request.pointId);
  const entry = entries[at];
  if (entry === undefined) return { readable: false, reason: 'the point does not hold this disk' };
  const start = chain.findIndex((layer) => layer.path === entry.disk.frozen.path);
  if (entry.disk.merging !== undefined)
    return { readable: false, reason: 'it was given up and is being merged' };
  if (start < 0)
    return { readable: false, reason: `${entry.disk.frozen.path} is no longer in the disk's image chain` };
  // A merge under way below changes its lower image and the header above, but nothing of what the layers show.
  const headers = new Set(entries.map(({ disk }) => disk.merging?.above));
  const touched = entries
    .slice(0, at + 1)
    .map(({ disk }) => disk)
    .filter(({ merging, frozen }) => merging === undefined && !headers.has(frozen.path))
    .find(({ frozen }) => chain.some(({ path }) => path === frozen.path) && changed(frozen));
  if (touched !== undefined)
    return { readable: false, reason: `${touched.frozen.path} was changed after it was frozen` };
  const whole = chain.slice(start);
  const full = (reason: string): DiskPlan => ({
    readable: true,
    layers: whole,
    basis: { kind: 'full', reason },
  });
  const { since } = request;
  if (since === undefined) return full('no earlier point was given');
  const before = entries.findIndex(({ point }) => point.pointId === since);
  const boundary = entries[before]?.disk;
  if (boundary === undefined) return full(`the layers since point ${since} are not known for this disk`);
  if (before >= at) return full(`point ${since} is not earlier than ${request.pointId}`);
  if (boundary.merging !== undefined) return full(`the layers of point ${since} are being merged`);
  const layers = layersAbove(whole, boundary.frozen.path);
  if (layers === undefined || layers.length === 0)
    return full(`the frozen image of point ${since} is no longer in the disk's image chain`);
  const raw = layers.find((layer) => layer.format === 'raw');
  if (raw !== undefined) return full(`${raw.path} is a raw image, which tells no changes`);
  return { readable: true, layers, basis: { kind: 'delta', since } };
}

/** What can be done now to give up one disk of one point. */
export type MergeStep = { pointId: string; target: string; disk: LedgerDisk } & (
  | { kind: 'merge'; layers: ImageLayer[]; above: ImageLayer }
  /** The overlay is the active image: only the end of protection merges it. */
  | { kind: 'active'; layers: ImageLayer[] }
  /** The merge is done in the chain and only the ledger does not know yet. */
  | { kind: 'done'; above: ImageLayer | undefined }
  /** Somebody took the overlay out of the chain; its file is theirs to judge. */
  | { kind: 'lost' }
  | { kind: 'wait'; reason: string }
);

/**
 * One step for every disk of every point that was given up, oldest first: only the lowest of our layers of a disk
 * may be merged, all others wait for it.
 * @param chains by target, active image first; no entry: the disk is no longer in the VM's definition
 */
export function planMerges(ledger: Ledger, chains: ReadonlyMap<string, readonly ImageLayer[]>): MergeStep[] {
  return ledger.points
    .filter((point) => point.state === 'given-up')
    .flatMap((point) => point.disks.map((disk) => planMerge(ledger, point, disk, chains.get(disk.target))));
}

function planMerge(
  ledger: Ledger,
  point: LedgerPoint,
  disk: LedgerDisk,
  chain: readonly ImageLayer[] | undefined,
): MergeStep {
  const step = { pointId: point.pointId, target: disk.target, disk };
  if (chain === undefined) return { ...step, kind: 'lost' };
  const lowest = entriesOf(ledger, disk.target)[0];
  if (lowest !== undefined && lowest.point !== point)
    return {
      ...step,
      kind: 'wait',
      reason: `it lies over point ${lowest.point.pointId}, which is merged first`,
    };
  const at = chain.findIndex((layer) => layer.path === disk.overlay);
  const frozenAt = chain.findIndex((layer) => layer.path === disk.frozen.path);
  if (at < 0) {
    if (disk.merging === undefined || frozenAt < 0) return { ...step, kind: 'lost' };
    return { ...step, kind: 'done', above: chain[frozenAt - 1] };
  }
  if (frozenAt !== at + 1) {
    const reason = `the image below ${disk.overlay} is not the one it was created over`;
    return { ...step, kind: 'wait', reason };
  }
  const layers = chain.slice(at);
  const above = chain[at - 1];
  return above === undefined
    ? { ...step, kind: 'active', layers }
    : { ...step, kind: 'merge', layers, above };
}

/** Images whose content or place in the chain a merge of `disk` changes. */
export function touchedBy(disk: LedgerDisk): string[] {
  return [disk.overlay, disk.frozen.path];
}

/**
 * The ledger after the merge of one disk: the entry is gone, the next one above stands on the merged image, and the
 * overlay's file is due for deletion. A point without disks left is gone.
 * @param fresh identities of images that the merge has changed: the merged one, and the one with the new header
 */
export function afterMerge(
  ledger: Ledger,
  step: { pointId: string; target: string; disk: LedgerDisk },
  fresh: { merged?: ImageIdentity | undefined; above?: ImageIdentity | undefined },
  deleteOverlay: boolean,
): Ledger {
  const { merged, above } = fresh;
  const renewed = (disk: LedgerDisk): LedgerDisk => {
    if (disk.target !== step.target) return disk;
    if (merged !== undefined && disk.frozen.path === step.disk.overlay) return { ...disk, frozen: merged };
    return above !== undefined && disk.frozen.path === above.path ? { ...disk, frozen: above } : disk;
  };
  const points = ledger.points
    .map((point) => ({
      ...point,
      disks: point.disks
        .filter((disk) => !(point.pointId === step.pointId && disk.target === step.target))
        .map(renewed),
    }))
    .filter((point) => point.disks.length > 0);
  const leftovers = deleteOverlay ? [...ledger.leftovers, step.disk.overlay] : ledger.leftovers;
  return { ...ledger, points, leftovers };
}

/** How many of our overlays a chain holds. */
export function countOverlays(ledger: Ledger, chain: readonly ImageLayer[]): number {
  const ours = new Set(ledger.points.flatMap((point) => point.disks.map((disk) => disk.overlay)));
  return chain.filter((layer) => ours.has(layer.path)).length;
}
