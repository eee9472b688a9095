import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { makeDirectoryDurable, syncDirectory, unlinkDurable, writeFileDurable } from '../platform/index.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import type { FrozenPoint } from './types.ts';

/** Version of the ledger file this code writes, and the newest it reads. */
export const ledgerVersion = 1;

const format = z.enum(['raw', 'qcow2']);

/**
 * What a frozen image looked like when it was frozen. Nothing may write to it while it is frozen, so any difference
 * means that it no longer holds what the point says. Inode and times are decimal strings: they exceed a double.
 */
const identity = z.strictObject({
  path: z.string(),
  format,
  /** Block devices have no content times; their device number stands for them. */
  kind: z.enum(['file', 'block']),
  device: z.string(),
  inode: z.string(),
  sizeBytes: z.string(),
  modifiedNs: z.string(),
});

const disk = z.strictObject({
  target: z.string(),
  sizeBytes: z.number(),
  originalFormat: format,
  frozen: identity,
  /** The image that was created above the frozen one at this point. */
  overlay: z.string(),
  /**
   * Set, durably, before the first byte of the overlay is merged down: from then on `frozen` changes, and so does the
   * header of the layer above. `above` names that one if it was still intact then; `intact` says so of `frozen`.
   */
  merging: z.strictObject({ intact: z.boolean(), above: z.string().optional() }).optional(),
});

const point = z.strictObject({
  pointId: z.string(),
  takenAt: z.string(),
  /** `given-up`: nobody may open it any more; its layers wait for their merge, or are the newest boundary. */
  state: z.enum(['kept', 'given-up']),
  disks: z.array(disk),
});

const takeIntent = z.strictObject({
  kind: z.literal('take'),
  pointId: z.string(),
  /** `freezing` is written before the guest is asked to freeze: from then on a thaw is owed. */
  step: z.enum(['intended', 'created', 'freezing']),
  startedAt: z.string(),
  /** Whether the VM was off, where the definition is edited, or had a QEMU, which takes the snapshot. */
  off: z.boolean(),
  disks: z.array(disk.omit({ merging: true })),
});

const ledger = z.strictObject({
  version: z.literal(ledgerVersion),
  machineUuid: z.string(),
  machineName: z.string(),
  /** Oldest first. */
  points: z.array(point),
  intent: takeIntent.optional(),
  /** The guest was asked to freeze and its thaw has not been confirmed. */
  thawOwed: z.boolean().default(false),
  /** Protection ends: every layer is to be merged, the active ones too. */
  releasing: z.boolean().default(false),
  /** Overlays that are out of every chain and are to be deleted. */
  leftovers: z.array(z.string()).default([]),
  /** Overlays of ours that hang on frozen layers so that other VMs run from them. They pin those layers. */
  clones: z
    .array(
      z.strictObject({
        /** As created; a rename inside its directory is found again by device and inode. */
        path: z.string(),
        device: z.string(),
        inode: z.string(),
        pointId: z.string(),
        target: z.string(),
      }),
    )
    .default([]),
});

export type ImageIdentity = z.infer<typeof identity>;
export type LedgerDisk = z.infer<typeof disk>;
export type LedgerPoint = z.infer<typeof point>;
export type TakeIntent = z.infer<typeof takeIntent>;
export type Ledger = z.infer<typeof ledger>;

export function emptyLedger(machineUuid: string, machineName: string): Ledger {
  return {
    version: ledgerVersion,
    machineUuid,
    machineName,
    points: [],
    thawOwed: false,
    releasing: false,
    leftovers: [],
    clones: [],
  };
}

/** A ledger in which nothing is noted any more: its file may go. */
export function isEmpty(of: Ledger): boolean {
  return (
    of.points.length === 0 &&
    of.intent === undefined &&
    !of.thawOwed &&
    of.leftovers.length === 0 &&
    of.clones.length === 0
  );
}

/**
 * The ledgers of one host, one directory per machine: `ledger.json`, and `<pointId>.point.json` with the full
 * {@link FrozenPoint} of each point (secrets of the definition included, so mode 0600). Every write is durable when
 * its promise resolves.
 */
export class LedgerStore {
  readonly #directory: string;
  readonly #writers = new KeyedMutex();

  constructor(directory: string) {
    this.#directory = directory;
  }

  directoryOf(uuid: string): string {
    return join(this.#directory, uuid);
  }

  async machines(): Promise<string[]> {
    const entries = await readdir(this.#directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && /^[0-9a-f-]{36}$/.test(entry.name))
      .map((entry) => entry.name)
      .sort();
  }

  /** @throws LedgerDamaged, LedgerVersionNotSupported */
  async read(uuid: string): Promise<Ledger | undefined> {
    const path = join(this.directoryOf(uuid), 'ledger.json');
    const text = await readIfThere(path);
    return text === undefined ? undefined : parseLedger(text, path);
  }

  /**
   * Replaces the ledger by what `change` makes of it; a machine without one starts with an empty one. Short, and one
   * after the other, so that operations of different length can write to one ledger.
   */
  update(uuid: string, change: (ledger: Ledger) => Ledger): Promise<void> {
    return this.#writers.run(uuid, undefined, async () => {
      await this.#write(change((await this.read(uuid)) ?? emptyLedger(uuid, '')));
    });
  }

  async #write(value: Ledger): Promise<void> {
    const directory = this.directoryOf(value.machineUuid);
    await makeDirectoryDurable(directory);
    const path = join(directory, 'ledger.json');
    if (isEmpty(value)) await unlinkDurable(path);
    else await writeFileDurable(path, `${JSON.stringify(value, undefined, 1)}\n`);
  }

  /** Removes everything that is noted about a machine. */
  async forget(uuid: string): Promise<void> {
    await rm(this.directoryOf(uuid), { recursive: true, force: true });
    await syncDirectory(this.#directory);
  }

  async readPoint(uuid: string, pointId: string): Promise<FrozenPoint | undefined> {
    const text = await readIfThere(this.#pointPath(uuid, pointId));
    // written by writePoint, whole or not at all, in a directory that only we may enter
    return text === undefined ? undefined : (JSON.parse(text) as FrozenPoint);
  }

  async writePoint(value: FrozenPoint): Promise<void> {
    await makeDirectoryDurable(this.directoryOf(value.machineUuid));
    await writeFileDurable(this.#pointPath(value.machineUuid, value.pointId), JSON.stringify(value));
  }

  async deletePoint(uuid: string, pointId: string): Promise<void> {
    await unlinkDurable(this.#pointPath(uuid, pointId));
  }

  #pointPath(uuid: string, pointId: string): string {
    return join(this.directoryOf(uuid), `${pointId}.point.json`);
  }
}

/** @throws LedgerDamaged, LedgerVersionNotSupported */
export function parseLedger(text: string, path: string): Ledger {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(path, messageOf(error), error);
  }
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > ledgerVersion)
    throw new HoldfastError(
      'LedgerVersionNotSupported',
      `${path} has version ${version}; this Holdfast knows versions up to ${ledgerVersion}.`,
      { target: path },
    );
  const parsed = ledger.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(path, z.prettifyError(parsed.error), parsed.error);
}

function damaged(path: string, why: string, cause: unknown): HoldfastError {
  return new HoldfastError('LedgerDamaged', `${path} is not a ledger: ${why}.`, { cause, target: path });
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
