import { open } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../errors/index.ts';

/** Credentials are short; anything longer is the wrong file. */
const longest = 64 * 1024;

/**
 * Reads a file with the credentials of a store: a JSON object of texts. What they have to be, the service knows. Nothing
 * of the file is ever repeated in a message.
 * @throws InvalidInput, also when other users of the machine can read the file
 */
export async function readStoreCredentials(path: string): Promise<Record<string, string>> {
  const refuse = (why: string, action: string, cause?: unknown) =>
    new HoldfastError('InvalidInput', `The file of credentials ${path} ${why}.`, {
      target: path,
      action,
      cause,
    });
  const see = 'See "Credentials" in docs/stores.md.';
  let text: string;
  try {
    await using file = await open(path, 'r');
    const found = await file.stat();
    if (found.isFile() && (found.mode & 0o077) !== 0)
      throw refuse('is open to other users', `Close it to them (chmod 600 ${path}), then try again.`);
    if (found.size > longest) throw refuse('is too large', see);
    text = await file.readFile('utf8');
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw refuse(`cannot be read: ${messageOf(error)}`, see, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse('is not JSON', see); // without the parser's message, which quotes the file
  }
  const isFlat =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((field) => typeof field === 'string');
  if (!isFlat) throw refuse('is not a JSON object whose fields are texts', see);
  return value as Record<string, string>;
}
