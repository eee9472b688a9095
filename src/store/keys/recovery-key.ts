import { hash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../../errors/index.ts';

/**
 * A secret for paper: 20 random bytes in Crockford's base 32, which has no letters that look like digits, and 4 more
 * characters that find a mistake before a store is asked.
 */
const secretBytes = 20;
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const checkCharacters = 4;
const characters = (secretBytes * 8) / 5 + checkCharacters;
const groupLength = 4;

/** A new one, in nine groups of four. */
export function newRecoveryKey(): string {
  return printRecoveryKey(randomBytes(secretBytes));
}

/** @param secret 20 bytes */
export function printRecoveryKey(secret: Uint8Array): string {
  const text = base32(secret) + checkOf(secret);
  return text.match(new RegExp(`.{${groupLength}}`, 'g'))?.join('-') ?? '';
}

/**
 * The 20 bytes of a recovery key as a person typed it: in any case and grouping, with O for 0 and I or L for 1.
 * @throws KeyNotUsable which says what is wrong, and nothing of the key
 */
export function parseRecoveryKey(typed: string): Buffer {
  const text = typed.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  const stranger = [...text].findIndex((character) => !alphabet.includes(character));
  if (stranger >= 0) throw notUsable(`character ${stranger + 1} is none that it can have`);
  if (text.length !== characters)
    throw notUsable(`it has ${text.length} letters and digits, not ${characters}`);
  const secret = bytesOf(text.slice(0, -checkCharacters));
  if (checkOf(secret) !== text.slice(-checkCharacters))
    throw notUsable('it is mistyped somewhere: its last four characters do not fit the others');
  return secret;
}

function notUsable(why: string): HoldfastError {
  return new HoldfastError('KeyNotUsable', `This is not a recovery key: ${why}.`);
}

function checkOf(secret: Uint8Array): string {
  const digest = hash('sha256', Buffer.concat([Buffer.from('holdfast recovery key 1\n'), secret]), 'buffer');
  return base32(digest.subarray(0, 5)).slice(0, checkCharacters);
}

/** A multiple of 5 bytes, so that nothing is left over. */
function base32(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 5) {
    const value = Buffer.from(bytes).readUIntBE(at, 5);
    for (let shift = 7; shift >= 0; shift--) text += alphabet[Math.floor(value / 32 ** shift) % 32];
  }
  return text;
}

function bytesOf(text: string): Buffer {
  const bytes = Buffer.alloc((text.length * 5) / 8);
  for (let at = 0; at * 8 < text.length; at++) {
    let value = 0;
    for (const character of text.slice(at * 8, at * 8 + 8)) value = value * 32 + alphabet.indexOf(character);
    bytes.writeUIntBE(value, at * 5, 5);
  }
  return bytes;
}
