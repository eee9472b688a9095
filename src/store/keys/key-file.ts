import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../errors/index.ts';
import { keyBytes } from './store-keys.ts';

/** The text of a new key file: 32 random bytes in hexadecimal under a comment. Keep it from other users (mode 0600). */
export function newKeyFile(): string {
  return `# A key of a Holdfast store. Keep it secret, and keep a copy elsewhere.\n${randomBytes(keyBytes).toString('hex')}\n`;
}

/**
 * The 32 bytes in a key file: in hexadecimal or base64, beside lines that are empty or begin with `#`.
 * @throws KeyNotUsable which says nothing of the content
 */
export function parseKeyFile(text: string): Buffer {
  const lines = text.split('\n').map((line) => line.trim());
  const [line, ...others] = lines.filter((candidate) => candidate !== '' && !candidate.startsWith('#'));
  if (line === undefined) throw notUsable('there is no key in it');
  if (others.length > 0) throw notUsable('it has more than one line that is no comment');
  if (/^[0-9a-fA-F]{64}$/.test(line)) return Buffer.from(line, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(line)) return Buffer.from(line, 'base64');
  throw notUsable('its key is not 32 bytes in hexadecimal or base64');
}

function notUsable(why: string): HoldfastError {
  return new HoldfastError('KeyNotUsable', `This is not a key file: ${why}.`);
}
