import { type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { HoldfastError } from '../../errors/index.ts';
import { decodeDocument, encodeDocument } from '../document.ts';
import { wrapIdOf } from '../layout.ts';
import { seal, sealBytes, unseal } from './seal.ts';
import { keyBytes, keyFrom } from './store-keys.ts';
import {
  isPassphraseCost,
  type PassphraseCost,
  passphraseCost,
  type SecretKind,
  type StoreSecret,
  secretKinds,
  wrappingKeyOf,
} from './store-secret.ts';

/** What may be known of a wrap: the vault key, sealed with a key that somebody has. */
export interface KeyWrapInfo {
  wrapId: string;
  kind: SecretKind;
  /** For people; says whose key it is. Not protected against whoever can write to the store. */
  label: string;
  /** ISO 8601, UTC. */
  createdAt: string;
}

/** The body of a document under `keys/`. */
export interface KeyWrap extends KeyWrapInfo {
  /** 16 bytes, lower-case hex. */
  salt: string;
  /** Of Argon2id, for a passphrase only. */
  cost?: PassphraseCost;
  /** The vault key; nonce, ciphertext and tag in lower-case hex. */
  sealed: string;
}

export const labelLimit = 100;

export function isLabel(value: unknown): value is string {
  // No control characters: labels are printed.
  return typeof value === 'string' && value.length <= labelLimit && /^[^\p{Cc}\p{Cf}]+$/u.test(value);
}

/** A larger one is not read. */
export const wrapLimitBytes = 4096;

/** What the seal covers beside the key, so that no part of a wrap can be exchanged. */
function contextOf(storeId: string, wrap: Omit<KeyWrap, 'sealed'>): Buffer {
  const { wrapId, kind, salt, cost } = wrap;
  const costText = cost === undefined ? '-' : `${cost.memoryKiB} ${cost.passes} ${cost.parallelism}`;
  return Buffer.from(`holdfast-key 1\n${storeId}\n${wrapId}\n${kind}\n${salt}\n${costText}`);
}

/** @throws KeyNotUsable */
export async function wrapKey(
  vaultKey: KeyObject,
  secret: StoreSecret,
  about: { storeId: string; label: string; createdAt: string },
): Promise<KeyWrap> {
  const { storeId, label, createdAt } = about;
  const wrap = {
    wrapId: randomUUID(),
    kind: secret.kind,
    label,
    createdAt,
    salt: randomBytes(16).toString('hex'),
    ...(secret.kind === 'passphrase' ? { cost: passphraseCost } : {}),
  };
  const wrappingKey = await wrappingKeyOf(secret, wrap.salt, wrap.cost);
  const bytes = vaultKey.export();
  const sealed = Buffer.concat(seal(wrappingKey, bytes, contextOf(storeId, wrap)));
  bytes.fill(0);
  return { ...wrap, sealed: sealed.toString('hex') };
}

/** Undefined when the secret is not the one it was wrapped with, or the wrap is not as it was. @throws KeyNotUsable */
export async function unwrapKey(
  wrap: KeyWrap,
  secret: StoreSecret,
  storeId: string,
): Promise<KeyObject | undefined> {
  if (wrap.kind !== secret.kind) return undefined;
  const wrappingKey = await wrappingKeyOf(secret, wrap.salt, wrap.cost);
  const bytes = unseal(wrappingKey, Buffer.from(wrap.sealed, 'hex'), contextOf(storeId, wrap));
  return bytes && keyFrom(bytes);
}

export function encodeWrap(wrap: KeyWrap): Buffer {
  return encodeDocument('key', wrap);
}

/** `name`: of the key or of its copy. @throws StoreDamaged @throws StoreVersionNotSupported */
export function decodeWrap(name: string, bytes: Buffer): KeyWrap {
  const body = (decodeDocument('key', name, bytes) ?? {}) as Partial<KeyWrap>;
  const { wrapId, kind, label, createdAt, salt, cost, sealed } = body;
  if (
    wrapId === undefined ||
    wrapId !== wrapIdOf(name) ||
    kind === undefined ||
    !secretKinds.includes(kind) ||
    !isLabel(label) ||
    !isInstant(createdAt) ||
    !isHex(salt, 16) ||
    !isHex(sealed, keyBytes + sealBytes) ||
    (kind === 'passphrase') !== (cost !== undefined)
  )
    throw damaged(name, 'it lacks what makes a key');
  if (cost !== undefined && !(typeof cost === 'object' && cost !== null && isPassphraseCost(cost)))
    throw damaged(name, 'the cost of its passphrase is beyond what this program accepts');
  return { wrapId, kind, label, createdAt, salt, sealed, ...(cost === undefined ? {} : { cost }) };
}

function damaged(name: string, why: string): HoldfastError {
  return new HoldfastError('StoreDamaged', `${name} is damaged: ${why}.`, { target: name });
}

function isHex(value: unknown, bytes: number): value is string {
  return typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value);
}

function isInstant(value: unknown): value is string {
  try {
    return typeof value === 'string' && Temporal.Instant.from(value) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
