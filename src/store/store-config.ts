import { HoldfastError } from '../errors/index.ts';
import { decodeDocument, encodeDocument } from './document.ts';
import { configName } from './layout.ts';

/** The description of a store, written once when it is created. */
export interface StoreConfig {
  storeId: string;
  createdAt: string;
  /** For disks written from now on; each disk's record names its own. */
  chunkSizeBytes: number;
  /**
   * Names of what a program must understand: `read` to read anything of the store, `write` to add to it or delete from
   * it. A program that meets a name it does not know refuses, so that a later format can be told from this one.
   */
  features: { read: readonly string[]; write: readonly string[] };
}

/** Ids are keyed, frames and documents sealed: who lacks a key can check sums, and read nothing. */
export const encryptionFeature = 'encryption';

/** Features this program understands. */
const knownFeatures: ReadonlySet<string> = new Set([encryptionFeature]);

export function isEncrypted({ features }: StoreConfig): boolean {
  return features.read.includes(encryptionFeature);
}

export const minimumChunkSizeBytes = 16 * 1024;
export const maximumChunkSizeBytes = 4 * 1024 * 1024;

export function isChunkSize(value: unknown): value is number {
  return (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= minimumChunkSizeBytes &&
    value <= maximumChunkSizeBytes &&
    (value & (value - 1)) === 0
  );
}

export function encodeConfig(config: StoreConfig): Buffer {
  return encodeDocument('store', config);
}

/** `name`: of the object, to be said when it is not whole. @throws StoreVersionNotSupported @throws StoreDamaged */
export function decodeConfig(bytes: Buffer, name = configName): StoreConfig {
  const body = decodeDocument('store', name, bytes) as Partial<StoreConfig> | null;
  const features = body?.features;
  if (
    typeof body?.storeId !== 'string' ||
    typeof body.createdAt !== 'string' ||
    !isChunkSize(body.chunkSizeBytes) ||
    !Array.isArray(features?.read) ||
    !Array.isArray(features.write)
  )
    throw new HoldfastError('StoreDamaged', `${name} lacks what describes a store.`, {
      target: name,
    });
  const unknown = [...features.read, ...features.write].filter(
    (feature) => !knownFeatures.has(String(feature)),
  );
  if (unknown.length > 0)
    throw new HoldfastError(
      'StoreVersionNotSupported',
      `The store (version 1) needs ${unknown.join(', ')}, which this program (version 1 with ${[...knownFeatures].join(', ')}) does not know.`,
      { target: configName },
    );
  return {
    storeId: body.storeId,
    createdAt: body.createdAt,
    chunkSizeBytes: body.chunkSizeBytes,
    features: { read: features.read, write: features.write },
  };
}
