import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

/** AES-256-GCM with a random nonce. Sealed bytes are nonce, ciphertext, tag. */
const nonceBytes = 12;
const tagBytes = 16;

/** What sealing adds to the length. */
export const sealBytes = nonceBytes + tagBytes;

/**
 * The parts, in order, of what is stored. `context` is not stored, but must be the same when it is opened: it says what
 * the bytes are, so that they pass for nothing else.
 */
export function seal(key: KeyObject, plain: Uint8Array, context: Uint8Array): [Buffer, Buffer, Buffer] {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(context);
  const sealed = cipher.update(plain);
  cipher.final(); // of a stream cipher: nothing
  return [nonce, sealed, cipher.getAuthTag()];
}

/** What was sealed; undefined when the bytes, the key or the context are not the ones it was sealed with. */
export function unseal(key: KeyObject, sealed: Uint8Array, context: Uint8Array): Buffer | undefined {
  if (sealed.length < sealBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(context);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plain = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
  try {
    decipher.final();
  } catch (error) {
    plain.fill(0); // nobody may use what was not authenticated
    if (error instanceof Error && /unable to authenticate/.test(error.message)) return undefined;
    throw error;
  }
  return plain;
}
