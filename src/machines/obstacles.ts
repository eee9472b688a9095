import { basename } from 'node:path';
import { type ErrorCode, errorCatalogue } from '../errors/index.ts';
import { chainLimits, isOverlayName } from './chain-plan.ts';
import type { DiskXml, DomainXml } from './domain-xml.ts';
import type { ImageInfo } from './images/index.ts';
import type { ProtectionObstacle } from './types.ts';
import type { DomainStatus } from './virsh.ts';

/** What was found out about a VM before deciding whether it can be protected. */
export interface Findings {
  status: DomainStatus;
  domain: DomainXml;
  excludedDisks: readonly string[];
  /** Paths of the images of every disk's chain, active one first, where they could be told. By target. */
  chains: ReadonlyMap<string, readonly string[]>;
  /** Headers of the active image and of those that are not ours, or why they could not be read. By target. */
  images: ReadonlyMap<string, readonly ImageInfo[] | { failure: string }>;
  snapshots: readonly string[];
  checkpoints: readonly string[];
  /** Disks with a block job, with libvirt's word for it. */
  blockJobs: ReadonlyMap<string, string>;
  overlayDirectory: string | undefined;
  tpmDirectory: string | undefined;
}

/** The disks that a point of this VM holds. Drives for removable media are no data of the VM. */
export function includedDisks(domain: DomainXml, excluded: readonly string[]): DiskXml[] {
  return domain.disks.filter(
    (disk) => !['cdrom', 'floppy'].includes(disk.device) && !excluded.includes(disk.target),
  );
}

/**
 * Why a running VM can't have points that are only crash-consistent; undefined when it can. What such a point holds is
 * what a failing host would leave, and this cache mode leaves writes in any order.
 */
export function crashConsistentObstacle(
  disks: readonly Pick<DiskXml, 'target' | 'device' | 'cache'>[],
  excluded: readonly string[],
): string | undefined {
  const disk = disks.find(
    ({ target, device, cache }) =>
      cache === 'unsafe' && !['cdrom', 'floppy'].includes(device) && !excluded.includes(target),
  );
  return (
    disk && `disk ${disk.target} has the cache mode "unsafe", which keeps no order of the guest's writes`
  );
}

/** Everything in the way of protecting the VM, worst for the whole VM first. Empty: it can be protected. */
export function judge(findings: Findings): ProtectionObstacle[] {
  const { domain } = findings;
  const disks = includedDisks(domain, findings.excludedDisks);
  const found = [...wholeMachine(findings), ...tooManyImages(findings)];
  if (disks.length === 0)
    found.push(obstacle('UserErrorNoDiskToProtect', undefined, `'${domain.name}' has no disk to protect.`));
  for (const disk of disks) {
    const [code, why] = diskProblem(disk, findings) ?? [];
    if (code !== undefined)
      found.push(obstacle(code, disk.target, `Disk ${disk.target} of '${domain.name}' ${why}.`));
  }
  return found;
}

function wholeMachine({
  status,
  domain,
  snapshots,
  checkpoints,
  tpmDirectory,
}: Findings): ProtectionObstacle[] {
  const found: ProtectionObstacle[] = [];
  const add = (code: ErrorCode, message: string) => found.push(obstacle(code, undefined, message));
  if (!status.persistent) add('UserErrorVmTransient', `'${domain.name}' is a transient VM.`);
  if (!['running', 'paused', 'shut off'].includes(status.state))
    add('UserErrorVmNotInDesirableState', `'${domain.name}' is in the state '${status.stateWord}'.`);
  if (status.managedSave)
    // its saved state has the disks' paths in it and would write to what we have frozen
    add('UserErrorVmNotInDesirableState', `'${domain.name}' has a managed save image.`);
  if (snapshots.length > 0)
    add('UserErrorHostSnapshotsPresent', `'${domain.name}' has libvirt snapshots (${snapshots.join(', ')}).`);
  if (checkpoints.length > 0)
    add(
      'UserErrorHostSnapshotsPresent',
      `'${domain.name}' has libvirt checkpoints (${checkpoints.join(', ')}).`,
    );
  if (domain.scsiHostDevices > 0)
    found.push({
      ...obstacle(
        'UserErrorDiskPassthrough',
        undefined,
        `'${domain.name}' has a SCSI device passed through (<hostdev>), which no snapshot holds.`,
      ),
      action: 'Remove the device from the VM, or attach it as a disk of type "block".',
    });
  if (domain.emulatedTpm && tpmDirectory === undefined)
    add('UserErrorTpmStateNotFound', `'${domain.name}' has an emulated TPM whose state can't be found.`);
  return found;
}

/** More layers than a machine can carry: the next point would be one too many. */
function tooManyImages({ domain, chains }: Findings): ProtectionObstacle[] {
  const add = (disk: string | undefined, message: string) =>
    obstacle('UserErrorRpCollectionLimitReached', disk, message);
  const found: ProtectionObstacle[] = [];
  for (const [target, chain] of chains) {
    const ours = chain.filter((path) => isOverlayName(basename(path))).length;
    const what = `Disk ${target} of '${domain.name}' has`;
    if (ours >= chainLimits.overlays)
      found.push(add(target, `${what} ${ours} layers of recovery points already.`));
    else if (chain.length >= chainLimits.images)
      found.push(add(target, `${what} a chain of ${chain.length} images already.`));
  }
  const all = [...chains.values()].reduce((sum, chain) => sum + chain.length, 0);
  if (all + chains.size > chainLimits.machineImages)
    found.push(add(undefined, `The disks of '${domain.name}' stand on ${all} images already.`));
  return found;
}

function diskProblem(disk: DiskXml, findings: Findings): [ErrorCode, string] | undefined {
  if (disk.device === 'lun')
    return ['UserErrorDiskPassthrough', 'is a SCSI device passed through (device "lun")'];
  if (disk.shareable) return ['UserErrorDiskShareable', 'is shareable between VMs'];
  if (disk.transient)
    return ['UserErrorDiskTypeNotSupported', 'is transient: the guest loses its changes anyway'];
  if (disk.readOnly)
    return [
      'UserErrorDiskTypeNotSupported',
      'is read-only; libvirt takes no snapshots of it, and it never changes',
    ];
  if (disk.encrypted) return ['UserErrorDiskEncrypted', 'is encrypted by QEMU'];
  if (disk.sliced) return ['UserErrorDiskTypeNotSupported', 'is only a part of its image (<slice>)'];
  if (disk.type !== 'file' && disk.type !== 'block')
    return [
      'UserErrorDiskTypeNotSupported',
      `is of type "${disk.type}", which can't have layers on this host`,
    ];
  if (disk.path === undefined) return ['UserErrorDiskTypeNotSupported', 'has no path'];
  const stray = disk.chain.find(
    (link) => link.path === undefined || !['raw', 'qcow2'].includes(link.format ?? ''),
  );
  if (stray !== undefined)
    return [
      'UserErrorDiskTypeNotSupported',
      `stands on ${stray.path ?? `an image of type "${stray.type}"`} in the format ${stray.format ?? '(not given)'}; raw and qcow2 files and devices are supported`,
    ];
  if (disk.type === 'block' && findings.overlayDirectory === undefined)
    return [
      'UserErrorDiskTypeNotSupported',
      'is a block device, and the host has no directory for the layers of block devices',
    ];
  const job = findings.blockJobs.get(disk.target);
  if (job !== undefined || disk.mirror)
    return ['UserErrorBlockJobRunning', `has a block job (${job ?? 'mirror'})`];
  return imageProblem(findings.images.get(disk.target));
}

function imageProblem(
  images: readonly ImageInfo[] | { failure: string } | undefined,
): [ErrorCode, string] | undefined {
  if (images === undefined) return undefined;
  if ('failure' in images) return ['UserErrorDiskTypeNotSupported', `can't be used: ${images.failure}`];
  for (const image of images) {
    if (image.encrypted) return ['UserErrorDiskEncrypted', `stands on ${image.path}, which is encrypted`];
    if (image.dataFile !== undefined)
      return [
        'UserErrorDiskTypeNotSupported',
        `stands on ${image.path}, which keeps its data in another file`,
      ];
    if (image.corrupt)
      return ['DiskImageDamaged', `stands on ${image.path}, which QEMU has marked as damaged`];
    if (image.backing !== undefined && image.backing.format === undefined)
      return [
        'DiskImageNotSupported',
        `stands on ${image.path}, which does not tell the format of its backing image`,
      ];
  }
  return undefined;
}

function obstacle(code: ErrorCode, disk: string | undefined, message: string): ProtectionObstacle {
  return { code, disk, message, action: errorCatalogue[code].action };
}
