import { open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { syncDirectory } from '../platform/index.ts';

/** A secret is short; anything longer is the wrong file. */
const longestSecret = 4096;

/**
 * What is in a file, without the line end that editors leave; `-` is standard input. Secrets are never taken from the
 * command line itself, which every user of the machine can see.
 * @throws InvalidInput
 */
export async function readSecret(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path === '-' ? '/dev/stdin' : path, 'utf8');
  } catch (error) {
    throw new HoldfastError('InvalidInput', `${path} cannot be read: ${messageOf(error)}`, { target: path });
  }
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '' || secret.length > longestSecret)
    throw new HoldfastError(
      'InvalidInput',
      `${path} is ${secret === '' ? 'empty' : 'too large to hold a secret'}.`,
      {
        target: path,
      },
    );
  return secret;
}

/**
 * Writes what `make` returns to a new file that nobody else can read, durably. The file is there before `make` is called,
 * so that no secret is made that could not be kept; it goes again when `make` fails.
 * @throws InvalidInput when the file is there already or cannot be made
 */
export async function writeNewSecret<T>(
  path: string,
  make: () => Promise<{ text: string; result: T }>,
): Promise<T> {
  const refuse = (error: unknown) => {
    throw new HoldfastError('InvalidInput', `${path} cannot be written: ${messageOf(error)}`, {
      target: path,
      action: 'Name a file that does not exist yet, in a directory that you can write to.',
    });
  };
  const file = (await open(path, 'wx', 0o600).catch(refuse)) as Awaited<ReturnType<typeof open>>;
  try {
    const { text, result } = await make();
    await file.writeFile(text);
    await file.sync();
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    await unlink(path).catch(() => {}); // the first failure is the one to report
    throw error;
  } finally {
    await file.close();
  }
}
