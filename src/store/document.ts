import { hash, type KeyObject } from 'node:crypto';
import { HoldfastError } from '../errors/index.ts';
import { seal, unseal } from './keys/seal.ts';

/** Kinds of the small JSON objects, with the newest version of each that this program reads and writes. */
export const documentVersions = {
  store: 1,
  marker: 1,
  key: 1,
  point: 1,
  generation: 1,
  quarantine: 1,
} as const;

export type DocumentKind = keyof typeof documentVersions;

/** First line: what it is and its version; second line: SHA-256 of the rest; then JSON. */
export function encodeDocument(kind: DocumentKind, body: unknown): Buffer {
  return assemble(firstLine(kind), [Buffer.from(JSON.stringify(body))]);
}

/**
 * The JSON of a document, checked.
 * @throws StoreVersionNotSupported when a newer program wrote it @throws StoreDamaged when its bytes are not whole
 */
export function decodeDocument(kind: DocumentKind, name: string, bytes: Buffer): unknown {
  const { sealed, body } = open(kind, name, bytes);
  if (sealed) throw damaged(name, 'it is sealed, which nothing is in this place of a store');
  return parseBody(name, body);
}

/** How a store writes and reads the documents that tell what it keeps (`name` is the object's). */
export interface Documents {
  encode(kind: DocumentKind, name: string, body: unknown): Buffer;
  /** As {@link decodeDocument}. */
  decode(kind: DocumentKind, name: string, bytes: Buffer): unknown;
}

const plainDocuments: Documents = {
  encode: (kind, _name, body) => encodeDocument(kind, body),
  decode: decodeDocument,
};

/** Plain in a store without keys. */
export function documentsWith(keys: { documentKey: KeyObject } | undefined): Documents {
  return keys === undefined ? plainDocuments : sealedDocuments(keys.documentKey);
}

/**
 * The body is sealed, and the sum is that of the sealed bytes, so that it can be checked without the key. One that is
 * not sealed is refused: anybody could have written it.
 */
function sealedDocuments(documentKey: KeyObject): Documents {
  const contextOf = (kind: DocumentKind, name: string) => Buffer.from(`${firstLine(kind, true)}\n${name}`);
  return {
    encode(kind, name, body) {
      const json = Buffer.from(JSON.stringify(body));
      return assemble(firstLine(kind, true), seal(documentKey, json, contextOf(kind, name)));
    },
    decode(kind, name, bytes) {
      const { sealed, body } = open(kind, name, bytes);
      if (!sealed) throw damaged(name, 'it is not sealed, and everything in an encrypted store is');
      const json = unseal(documentKey, body, contextOf(kind, name));
      if (json === undefined)
        throw damaged(name, "it was not sealed with this store's key under this name, or has been changed");
      return parseBody(name, json);
    },
  };
}

function firstLine(kind: DocumentKind, sealed = false): string {
  return `holdfast-${kind} ${documentVersions[kind]}${sealed ? ' sealed' : ''}`;
}

function assemble(first: string, body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(body);
  return Buffer.concat([Buffer.from(`${first}\n${hash('sha256', bytes)}\n`), bytes]);
}

function open(kind: DocumentKind, name: string, bytes: Buffer): { sealed: boolean; body: Buffer } {
  const firstEnd = bytes.indexOf(0x0a);
  const secondEnd = firstEnd + 1 + 64;
  const first = /^holdfast-([a-z]+) ([1-9][0-9]{0,8})( sealed)?$/.exec(
    bytes.toString('latin1', 0, Math.max(0, firstEnd)),
  );
  if (first === null || first[1] !== kind || bytes[secondEnd] !== 0x0a)
    throw damaged(name, `it does not begin as a ${kind} does`);
  const version = Number(first[2]);
  const newest = documentVersions[kind];
  // The version is outside the checksum's reach, so a flip in it may be taken for a newer version: refused either way.
  if (version !== newest)
    throw new HoldfastError(
      'StoreVersionNotSupported',
      `${name} has version ${version}; this program reads version ${newest}.`,
      { target: name },
    );
  const body = bytes.subarray(secondEnd + 1);
  if (hash('sha256', body) !== bytes.toString('latin1', firstEnd + 1, secondEnd))
    throw damaged(name, 'its checksum does not match');
  return { sealed: first[3] !== undefined, body };
}

function damaged(name: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('StoreDamaged', `${name} is damaged: ${why}.`, { cause, target: name });
}

/** A body whose sum is right may still be anything: no program of ours wrote it, but somebody did. */
function parseBody(name: string, json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw damaged(name, 'its body is not JSON', error);
  }
}
