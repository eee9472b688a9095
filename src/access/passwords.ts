import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What OWASP recommends of argon2id: 19 MiB, two passes, one lane; about 40 ms. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 };
const hashBytes = 32;

const derive = promisify(
  (parameters: Argon2Parameters, done: (error: Error | null, result: Buffer) => void) =>
    argon2('argon2id', parameters, done),
);

/** Compared with where there is no such person, so that it takes as long. */
let nobodys: Promise<string> | undefined;

/** Why a password is refused; undefined for one that will do. Length is what counts (NIST SP 800-63B). */
export function passwordProblem(password: string, userName: string): string | undefined {
  if ([...password].length < 12) return 'A password has at least 12 characters.';
  if (password.length > 256) return 'A password has no more than 256 characters.';
  if (new Set(password).size < 5) return 'That password has too few different characters.';
  if (password.toLowerCase().includes(userName.toLowerCase()))
    return 'A password does not contain the user name.';
  return undefined;
}

/** Hashes a password with a salt of its own, as a PHC string. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive({ message: normal(password), nonce: salt, tagLength: hashBytes, ...cost });
  const { memory, passes, parallelism } = cost;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(hash)}`;
}

/** Whether a password is the one that was hashed; as slow, and false, where there is no hash. */
export async function isPassword(password: string, phc: string | null | undefined): Promise<boolean> {
  nobodys ??= hashPassword(randomBytes(16).toString('hex'));
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(phc ?? (await nobodys));
  if (match === null) throw new Error('a password hash in the catalog is not understood');
  const [, memory, passes, parallelism, salt = '', expected = ''] = match;
  const known = Buffer.from(expected, 'base64');
  const found = await derive({
    message: normal(password),
    nonce: Buffer.from(salt, 'base64'),
    tagLength: known.length,
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
  });
  return timingSafeEqual(found, known) && phc != null;
}

/** Keyboards differ in how they write an accented letter. */
const normal = (password: string) => password.normalize('NFC');

const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
