import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../errors/index.ts';
import type { RestoredDisk } from './disk-copy.ts';
import type { StoredPoint } from './stored-point.ts';

export type Tier = 'snapshot' | 'vault';

/** Which of a vault's stores a restore from the vault reads. */
export type StoreChoice = 'primary' | 'replica';

/** What a caller asks for; see the API's restore request. */
export interface RestoreOptions {
  /** `original`: the disks of the VM that the point is of get its content; it has to be off. */
  kind: 'disks' | 'machine' | 'original';
  /** Absolute directory on the host; of `original`, which makes no files, empty. */
  directory: string;
  diskFormat?: 'raw' | 'qcow2';
  /** Targets; all when undefined. */
  disks?: readonly string[];
  tier?: Tier;
  /** Left out: the vault's own store, and the replica where that fails. Named, there is no other. */
  from?: StoreChoice;
  machineName?: string;
  connectNetwork?: boolean;
  /** A network of libvirt that all interfaces of the new VM are connected to. Default: those of its source. */
  network?: string;
  start?: boolean;
  /** Runs the new VM from the vault at once, and copies its disks while it runs. */
  live?: boolean;
  /** Restores what can be read of a damaged point, from the vault; the rest is zeros, and listed. */
  allowDamaged?: boolean;
}

/** Where everything of a restore goes. */
export interface RestorePlan {
  disks: RestoredDisk[];
  /** Restored disks come with the definition of their VM beside them; a new VM needs no such file. */
  definitionPath: string | undefined;
  /** Beside disks that are restored although the point is damaged: which stretches are missing. */
  gapsPath: string | undefined;
}

/** Whether a VM of this restore runs from the frozen layers at once, with nothing copied. */
export const isInstant = (options: RestoreOptions, tier: Tier) =>
  options.kind === 'machine' && tier === 'snapshot';

/** Whether a VM of this restore runs from the vault at once. */
export const isLive = (options: RestoreOptions) => options.kind === 'machine' && options.live === true;

/**
 * Names the files: `<vm>-<point>-<target>.<format>` and `<vm>-<point>.xml`, or `<new vm>-<target>.<format>`; and
 * `<vm>-<point>.gaps.json`, or `<new vm>.gaps.json`.
 * @throws InvalidInput for a disk that the point does not have
 */
export function planRestore(options: RestoreOptions, tier: Tier, point: StoredPoint): RestorePlan {
  const stem =
    options.kind === 'machine'
      ? fileStem(options.machineName ?? '')
      : `${fileStem(point.machineName)}-${point.pointId}`;
  const disks = chooseDisks(point, options.disks).map(({ target, sizeBytes, originalFormat }) => {
    const wanted = options.diskFormat ?? (originalFormat === 'raw' ? 'raw' : 'qcow2');
    const stands = isInstant(options, tier) || isLive(options);
    const format = stands ? 'qcow2' : wanted; // a raw image can't stand on another
    return { target, sizeBytes, format, path: join(options.directory, `${stem}-${target}.${format}`) };
  });
  const definitionPath = options.kind === 'disks' ? join(options.directory, `${stem}.xml`) : undefined;
  const gapsPath = options.allowDamaged === true ? join(options.directory, `${stem}.gaps.json`) : undefined;
  return { disks, definitionPath, gapsPath };
}

function chooseDisks(point: StoredPoint, asked: readonly string[] | undefined): StoredPoint['disks'] {
  if (asked === undefined) return point.disks;
  const has = point.disks.map((disk) => disk.target);
  const unknown = asked.filter((target) => !has.includes(target));
  if (unknown.length > 0) {
    throw new HoldfastError(
      'InvalidInput',
      `Recovery point ${point.pointId} has no disk ${unknown.join(', ')}; it has ${has.join(', ')}.`,
    );
  }
  return point.disks.filter((disk) => asked.includes(disk.target));
}

/** A VM's name as part of a file name: nothing that a path or a shell could take for something else. */
const fileStem = (name: string) => name.replaceAll(/[^\p{L}\p{N}._-]/gu, '_').replace(/^\.+/, '_');

/**
 * Makes sure that no file of the plan exists, in any form, before hours of copying. A definition that says the same
 * already may stay: disks of one point can be restored one after the other.
 * @throws UserErrorTargetPathExists, InvalidInput
 */
export async function refuseExistingFiles(plan: RestorePlan, domainXml: string): Promise<void> {
  for (const { path } of plan.disks) if (await isThere(path)) throw pathExists(path);
  const { definitionPath, gapsPath } = plan;
  if (gapsPath !== undefined && (await isThere(gapsPath))) throw pathExists(gapsPath);
  if (definitionPath !== undefined && (await isThere(definitionPath))) {
    if (!(await isSameDefinition(definitionPath, domainXml))) throw pathExists(definitionPath);
  }
}

export async function isSameDefinition(path: string, domainXml: string): Promise<boolean> {
  return (await readFile(path, 'utf8').catch(() => undefined)) === domainXml;
}

export const pathExists = (path: string, cause?: unknown) =>
  new HoldfastError('UserErrorTargetPathExists', `${path} exists already.`, { cause, target: path });

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new HoldfastError('InvalidInput', `${path}: ${messageOf(error)}`, { cause: error, target: path });
  }
}
