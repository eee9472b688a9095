import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

/** Bytes of every key and of every secret that is made at random. */
export const keyBytes = 32;

/** What the content of an encrypted store is named and sealed with. Handed to worker threads when they are started. */
export interface ContentKeys {
  /** Of the HMAC that names chunks: who lacks it cannot test whether the store has a known content. */
  idKey: KeyObject;
  frameKey: KeyObject;
}

/**
 * The keys of an open encrypted store. They are key objects and not bytes, so that no log, message or error shows them;
 * what is under them is erased when they are collected.
 */
export interface StoreKeys {
  /** Kept for wrapping it anew. */
  vaultKey: KeyObject;
  content: ContentKeys;
  documentKey: KeyObject;
}

/** Takes the bytes over: they are zeros afterwards. */
export function keyFrom(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

export function newVaultKey(): KeyObject {
  return keyFrom(randomBytes(keyBytes));
}

/** HKDF-SHA256. `salt` and `info` are text. */
export function deriveKey(secret: KeyObject, salt: string, info: string): KeyObject {
  return keyFrom(new Uint8Array(hkdfSync('sha256', secret, salt, info, keyBytes)));
}

/** The store's id takes part, so that equal vault keys would still not make two stores alike. */
export function storeKeysOf(vaultKey: KeyObject, storeId: string): StoreKeys {
  const derive = (purpose: string) => deriveKey(vaultKey, storeId, `holdfast ${purpose} 1`);
  return {
    vaultKey,
    content: { idKey: derive('chunk id'), frameKey: derive('frame') },
    documentKey: derive('document'),
  };
}
