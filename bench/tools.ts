import { globSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKeyFile } from '../src/store/index.ts';
import { type Cost, timedRun } from './timed-run.ts';

/** The versions of the disk that are backed up: as first seen, after days of use, after 8192 scattered writes. */
export const versions = ['first', 'churned', 'scattered'] as const;
export type Version = (typeof versions)[number];

export interface Result extends Cost {
  /** Bytes the tool's storage grew by; for a restore 0. */
  addedBytes: number;
}

/** One program with its own storage under a directory of its own. */
export interface Tool {
  name: string;
  /** Untimed. */
  prepare?(): Promise<void>;
  /** The versions it can back up; a plain compressor knows nothing of increments. */
  versions: readonly Version[];
  backUp(version: Version): Promise<Result>;
  /** The first version, to a new file whose path is returned; undefined for a tool that is only here to write. */
  restore?(): Promise<Result & { restored: string }>;
}

export interface Place {
  /** The tool's own, empty and there. */
  directory: string;
  image(version: Version): string;
  /** A JSON file with what differs from the first version. */
  changes(version: Version): string;
}

export function storedBytes(directory: string): number {
  return globSync('**/*', { cwd: directory, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Times a command and looks at what it added to `storage`. */
async function measured(
  { directory }: Place,
  storage: string,
  command: readonly [string, ...string[]],
  env: Record<string, string> = {},
): Promise<Result & { stdout: string }> {
  const before = storedBytes(storage);
  const cost = await timedRun(directory, command, env);
  return { ...cost, addedBytes: storedBytes(storage) - before };
}

const storeProcess = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, 'store-process.ts'),
] as const;

/**
 * Holdfast's store. `known`: increments read only what has changed, as they do after a layer was frozen; otherwise
 * everything is read again.
 */
export function holdfast(place: Place, options: { known: boolean; env: Record<string, string> }): Tool {
  const store = join(place.directory, 'store');
  return {
    name: options.known ? 'Holdfast, changes known' : 'Holdfast',
    versions,
    async backUp(version) {
      const known = options.known && version !== 'first' ? ['first', place.changes(version)] : [];
      const command = [...storeProcess, 'backup', store, place.image(version), version, ...known] as const;
      return await measured(place, place.directory, command, options.env);
    },
    async restore() {
      const restored = join(place.directory, 'restored');
      const command = [...storeProcess, 'restore', store, 'first', restored] as const;
      return { ...(await timedRun(place.directory, command, options.env)), addedBytes: 0, restored };
    },
  };
}

/** Holdfast's store without its read-back, to see what that costs; the first backup is enough for it. */
export function uncheckedHoldfast(place: Place, env: Record<string, string>): Tool {
  const { backUp } = holdfast(place, { known: false, env: { ...env, STORE_TRY_OUT: 'no' } });
  return { name: 'Holdfast, no read-back', versions: ['first'], backUp: thenRemove(place, backUp) };
}

/** Holdfast's store, encrypted as a new vault's is: what restic, which always encrypts, is to be compared with. */
export function encryptedHoldfast(
  place: Place,
  options: { readBack: boolean; env: Record<string, string> },
): Tool {
  const keyFile = join(place.directory, 'key');
  const unchecked: Record<string, string> = options.readBack ? {} : { STORE_TRY_OUT: 'no' };
  const env = { ...options.env, ...unchecked, STORE_KEY_FILE: keyFile };
  const tool = holdfast(place, { known: false, env });
  const prepare = async () => writeFileSync(keyFile, newKeyFile(), { mode: 0o600 });
  return options.readBack
    ? { ...tool, name: 'Holdfast, encrypted', versions: ['first', 'churned'], prepare }
    : {
        name: 'Holdfast, encrypted, no read-back',
        versions: ['first'],
        prepare,
        backUp: thenRemove(place, tool.backUp),
      };
}

/** For a store that nobody looks at again: the disk under the bench has other things to hold. */
function thenRemove(place: Place, backUp: Tool['backUp']): Tool['backUp'] {
  return async (version) => {
    const result = await backUp(version);
    rmSync(join(place.directory, 'store'), { recursive: true });
    return result;
  };
}

/** Fixed pieces of 4 MiB, zstd level 1, no encryption: what BorgBackup recommends for disk images. */
export function borg(place: Place): Tool {
  const repository = join(place.directory, 'repository');
  const env = {
    BORG_BASE_DIR: join(place.directory, 'home'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  return {
    name: 'borg zstd,1',
    versions,
    async prepare() {
      await timedRun(place.directory, ['borg', 'init', '-e', 'none', repository], env);
    },
    backUp(version) {
      const options = ['--chunker-params', 'fixed,4194304', '--compression', 'zstd,1', '--sparse'];
      const command = [
        'borg',
        'create',
        ...options,
        `${repository}::${version}`,
        place.image(version),
      ] as const;
      return measured(place, repository, command, env);
    },
    async restore() {
      const target = join(place.directory, 'restored');
      const script = 'mkdir -- "$0" && cd -- "$0" && borg extract --sparse "$1"';
      const command = ['sh', '-c', script, target, `${repository}::first`] as const;
      const cost = await timedRun(place.directory, command, env);
      return { ...cost, addedBytes: 0, restored: join(target, place.image('first')) };
    },
  };
}

/** Encrypts always; compression `auto` as it comes. */
export function restic(place: Place): Tool {
  const repository = join(place.directory, 'repository');
  const env = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(place.directory, 'cache'),
  };
  return {
    name: 'restic',
    versions,
    async prepare() {
      await timedRun(place.directory, ['restic', 'init'], env);
    },
    backUp(version) {
      const command = ['restic', 'backup', '--quiet', '--tag', version, place.image(version)] as const;
      return measured(place, repository, command, env);
    },
    async restore() {
      const target = join(place.directory, 'restored');
      const command = ['restic', 'restore', 'latest', '--tag', 'first', '--target', target] as const;
      const cost = await timedRun(place.directory, command, env);
      return { ...cost, addedBytes: 0, restored: join(target, place.image('first')) };
    },
  };
}

export function qemuImg(place: Place): Tool {
  const storage = join(place.directory, 'storage');
  const image = join(storage, 'image.qcow2');
  return {
    name: 'qemu-img zstd',
    versions: ['first'],
    async prepare() {
      await timedRun(place.directory, ['mkdir', storage]);
    },
    backUp(version) {
      const options = ['-f', 'raw', '-O', 'qcow2', '-c', '-o', 'compression_type=zstd'];
      return measured(place, storage, ['qemu-img', 'convert', ...options, place.image(version), image]);
    },
    async restore() {
      const restored = join(place.directory, 'restored');
      const cost = await timedRun(place.directory, ['qemu-img', 'convert', '-O', 'raw', image, restored]);
      return { ...cost, addedBytes: 0, restored };
    },
  };
}

/** No backup at all, only the compression: what two cores can do. */
export function zstd(place: Place): Tool {
  const storage = join(place.directory, 'storage');
  return {
    name: 'zstd -1 -T2',
    versions: ['first'],
    async prepare() {
      await timedRun(place.directory, ['mkdir', storage]);
    },
    backUp(version) {
      const target = join(storage, 'image.zst');
      return measured(place, storage, ['zstd', '-1', '-T2', '-q', place.image(version), '-o', target]);
    },
  };
}
