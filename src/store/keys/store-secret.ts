import { argon2, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '../../errors/index.ts';
import { parseKeyFile } from './key-file.ts';
import { parseRecoveryKey } from './recovery-key.ts';
import { deriveKey, keyBytes, keyFrom } from './store-keys.ts';

export const secretKinds = ['key-file', 'passphrase', 'recovery'] as const;
export type SecretKind = (typeof secretKinds)[number];

/** What opens a store. `text`: what is in the key file, the passphrase, the recovery key as typed. */
export interface StoreSecret {
  kind: SecretKind;
  text: string;
}

/** Of Argon2id. `memoryKiB`: KiB of memory; `passes` over it; `parallelism`: lanes. */
export interface PassphraseCost {
  memoryKiB: number;
  passes: number;
  parallelism: number;
}

/** The second choice of RFC 9106 (section 4), for machines where 2 GiB are too much: a fifth of a second here. */
export const passphraseCost: PassphraseCost = { memoryKiB: 64 * 1024, passes: 3, parallelism: 4 };

/** What a stored cost may be: whoever can write to the store must not be able to take memory or hours from its reader. */
export function isPassphraseCost({ memoryKiB, passes, parallelism }: PassphraseCost): boolean {
  const within = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  return (
    within(parallelism, 1, 16) &&
    within(memoryKiB, 8 * parallelism, 1024 * 1024) &&
    within(passes, 1, 64) &&
    memoryKiB * passes <= 4 * 1024 * 1024
  );
}

const shortestPassphrase = 12;

/** @throws KeyNotUsable for a secret that nothing should be locked with */
export function checkNewSecret(secret: StoreSecret): void {
  if (secret.kind === 'key-file') parseKeyFile(secret.text).fill(0);
  else if (secret.kind === 'recovery') parseRecoveryKey(secret.text).fill(0);
  else if ([...secret.text.normalize('NFC')].length < shortestPassphrase)
    throw new HoldfastError(
      'KeyNotUsable',
      `A passphrase has at least ${shortestPassphrase} characters: whoever gets hold of the store can try them as fast as they like.`,
    );
}

const argon2Async = promisify(argon2);

/**
 * The key that a secret stands for, to wrap the vault key with.
 * @param salt lower-case hex @throws KeyNotUsable
 */
export async function wrappingKeyOf(
  secret: StoreSecret,
  salt: string,
  cost: PassphraseCost | undefined,
): Promise<KeyObject> {
  if (secret.kind === 'passphrase') {
    if (cost === undefined) throw new Error('a passphrase needs its cost');
    // Keyboards and systems differ in how they put accents together.
    const message = Buffer.from(secret.text.normalize('NFC'));
    const { memoryKiB: memory, passes, parallelism } = cost;
    const nonce = Buffer.from(salt, 'hex');
    const derived = await argon2Async('argon2id', {
      message,
      nonce,
      memory,
      passes,
      parallelism,
      tagLength: keyBytes,
    });
    message.fill(0);
    return keyFrom(derived);
  }
  const bytes = secret.kind === 'key-file' ? parseKeyFile(secret.text) : parseRecoveryKey(secret.text);
  return deriveKey(keyFrom(bytes), salt, `holdfast ${secret.kind} wrap 1`);
}
