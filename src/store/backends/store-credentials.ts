import { HoldfastError } from '../../errors/index.ts';
import type { StoreLocation } from './store-location.ts';

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of credentials that are valid for a time. */
  sessionToken?: string;
}

/** One of the two. */
export interface BlobCredentials {
  accountKey?: string;
  /** A shared access signature for the container: read, write, delete, list, and create. */
  sasToken?: string;
}

/** The fields a file of credentials may have, by kind of place; of each inner list all are needed. */
const forms = {
  s3: { needed: [['accessKeyId', 'secretAccessKey']], optional: ['sessionToken'] },
  azblob: { needed: [['accountKey'], ['sasToken']], optional: [] },
} as const;

/**
 * Checks the parsed content of a file of credentials. No value of it is ever repeated in a message.
 * @throws InvalidInput
 */
export function parseStoreCredentials(kind: StoreLocation['kind'], value: unknown): Record<string, string> {
  if (kind === 'directory') throw invalid('A store in a directory needs no credentials.');
  const { needed, optional } = forms[kind];
  const wanted = needed.map((fields) => fields.join(' and ')).join(', or ');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`The credentials of the store are not a JSON object with ${wanted}.`);
  const given = Object.entries(value);
  const known: readonly string[] = [...needed.flat(), ...optional];
  for (const [key, text] of given) {
    if (!known.includes(key))
      throw invalid(`The credentials of the store have an unknown field (${known.join(', ')} are known).`);
    if (typeof text !== 'string' || text === '' || text.length > 8192 || /[\r\n]/.test(text))
      throw invalid(`The field ${key} of the store's credentials is not a line of text.`);
  }
  const keys = given.map(([key]) => key);
  const complete = needed.filter((fields) => fields.every((field) => keys.includes(field)));
  if (complete.length !== 1) throw invalid(`The credentials of the store need ${wanted}.`);
  return Object.fromEntries(given) as Record<string, string>;
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('InvalidInput', message, { action: 'See "Credentials" in docs/stores.md.' });
}
