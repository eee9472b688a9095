import { hash } from 'node:crypto';
import { HoldfastError } from '../errors/index.ts';

/** Kinds of the small JSON objects, with the newest version of each that this program reads and writes. */
export const documentVersions = { store: 1, marker: 1, point: 1, generation: 1, quarantine: 1 } as const;

export type DocumentKind = keyof typeof documentVersions;

/** First line: what it is and its version; second line: SHA-256 of the rest; then JSON. */
export function encodeDocument(kind: DocumentKind, body: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(body));
  const head = `holdfast-${kind} ${documentVersions[kind]}\n${hash('sha256', json)}\n`;
  return Buffer.concat([Buffer.from(head), json]);
}

/**
 * The JSON of a document, checked.
 * @throws StoreVersionNotSupported when a newer program wrote it @throws StoreDamaged when its bytes are not whole
 */
export function decodeDocument(kind: DocumentKind, name: string, bytes: Buffer): unknown {
  const firstEnd = bytes.indexOf(0x0a);
  const secondEnd = firstEnd + 1 + 64;
  const first = /^holdfast-([a-z]+) ([1-9][0-9]{0,8})$/.exec(
    bytes.toString('latin1', 0, Math.max(0, firstEnd)),
  );
  if (first === null || first[1] !== kind || bytes[secondEnd] !== 0x0a)
    throw new HoldfastError('StoreDamaged', `${name} is damaged: it does not begin as a ${kind} does.`, {
      target: name,
    });
  const version = Number(first[2]);
  const newest = documentVersions[kind];
  // The version is outside the checksum's reach, so a flip in it may be taken for a newer version: refused either way.
  if (version !== newest)
    throw new HoldfastError(
      'StoreVersionNotSupported',
      `${name} has version ${version}; this program reads version ${newest}.`,
      { target: name },
    );
  const json = bytes.subarray(secondEnd + 1);
  if (hash('sha256', json) !== bytes.toString('latin1', firstEnd + 1, secondEnd))
    throw new HoldfastError('StoreDamaged', `${name} is damaged: its checksum does not match.`, {
      target: name,
    });
  return JSON.parse(json.toString('utf8'));
}
