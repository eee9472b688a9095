import type { Backend } from '../backend.ts';
import { segmentSections } from '../index-segment.ts';
import { indexPrefix, packName } from '../layout.ts';
import { fetchObject } from '../object-access.ts';
import {
  decodeFooter,
  type PackEntry,
  packEntryBytes,
  packFooterBytes,
  packHeader,
  packHeaderBytes,
  packIdOfTrailer,
  trailerEntries,
} from '../pack-format.ts';

/** What is known of the contents of a pack, and from where. */
export interface PackContents {
  /** The trailer word for word, its sum checked; undefined where nobody has it any more. */
  trailer: Buffer | undefined;
  /** What is wrong with the pack's own header, trailer or footer; undefined: nothing. */
  container: string | undefined;
}

/** No frame that a store writes is longer; an entry that says so was made up by damage. */
const frameLimitBytes = 64 * 1024 * 1024;
const plainLimitBytes = 4 * 1024 * 1024;

/** Of a million chunks: what claims to be larger and cannot prove it is not worth the memory. */
const trailerLimitBytes = 64 * 1024 * 1024;

/**
 * Reads the table of contents of a pack of `packBytes` from the pack, or from whatever else still has it: the index
 * segments, or the pack itself where only its footer is damaged. `entries`: as many as the index knows it to have, and so
 * where its table of contents begins even if the footer no longer says so. Undefined when there is no such pack.
 */
export async function readContents(
  backend: Backend,
  packId: string,
  packBytes: number,
  entries?: number,
): Promise<PackContents | undefined> {
  const name = packName(packId);
  if (packBytes < packHeaderBytes + packFooterBytes) {
    if ((await backend.stat(name)) === undefined) return undefined;
    return { container: 'it is too short to be a pack', trailer: await trailerFromSegments(backend, packId) };
  }
  const header = await fetchObject(backend, name, { offset: 0, length: packHeaderBytes });
  const place = { offset: packBytes - packFooterBytes, length: packFooterBytes };
  const footer = await fetchObject(backend, name, place);
  if (header === undefined || footer === undefined) return undefined;
  const own = await ownTrailer(backend, name, packId, packBytes, footer);
  if (own === undefined) return undefined;
  if (Buffer.isBuffer(own)) {
    const headerIsRight = Buffer.isBuffer(header) && header.equals(packHeader());
    return { trailer: own, container: headerIsRight ? undefined : 'its header is damaged' };
  }
  const trailer =
    (await trailerOf(backend, packId, packBytes, entries)) ??
    (await trailerBeforeFooter(backend, name, packId, packBytes)) ??
    (await trailerFromSegments(backend, packId));
  return { trailer, container: own };
}

/** The trailer as the footer says, or what is wrong. */
async function ownTrailer(
  backend: Backend,
  name: string,
  packId: string,
  packBytes: number,
  footer: Buffer | string,
): Promise<Buffer | string | undefined> {
  if (!Buffer.isBuffer(footer)) return footer;
  const place = decodeFooter(footer, packBytes);
  if ('wrong' in place) return place.wrong;
  const trailer = await fetchObject(backend, name, place);
  if (trailer === undefined || typeof trailer === 'string') return trailer;
  if (trailer.length !== place.length || packIdOfTrailer(trailer) !== packId)
    return 'its table of contents is damaged';
  return footer.toString('hex', 16, 48) === packId ? trailer : 'its footer names another pack';
}

async function trailerOf(
  backend: Backend,
  packId: string,
  packBytes: number,
  entries: number | undefined,
): Promise<Buffer | undefined> {
  if (entries === undefined) return undefined;
  const length = entries * packEntryBytes;
  const offset = packBytes - packFooterBytes - length;
  const trailer = offset < 0 ? undefined : await fetchObject(backend, packName(packId), { offset, length });
  return Buffer.isBuffer(trailer) && packIdOfTrailer(trailer) === packId ? trailer : undefined;
}

/**
 * Where the footer does not say where the trailer begins, the last entry does: its frame ends there. The pack's name
 * then proves it.
 */
async function trailerBeforeFooter(
  backend: Backend,
  name: string,
  packId: string,
  packBytes: number,
): Promise<Buffer | undefined> {
  const end = packBytes - packFooterBytes;
  const last = await fetchObject(backend, name, { offset: end - packEntryBytes, length: packEntryBytes });
  if (!Buffer.isBuffer(last) || last.length < packEntryBytes) return undefined;
  const [entry] = [...trailerEntries(last)];
  if (entry === undefined) return undefined;
  const offset = entry.offset + entry.storedLength;
  const length = end - offset;
  if (offset < packHeaderBytes || length < packEntryBytes || length % packEntryBytes !== 0) return undefined;
  const trailer = await fetchObject(backend, name, { offset, length });
  return Buffer.isBuffer(trailer) && packIdOfTrailer(trailer) === packId ? trailer : undefined;
}

/** Reads all segments: for damage only. */
async function trailerFromSegments(backend: Backend, packId: string): Promise<Buffer | undefined> {
  for await (const { name } of backend.list(indexPrefix)) {
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue;
    for (const section of segmentSections(segment))
      if (section.packId === packId) return Buffer.from(section.trailer);
  }
  return undefined;
}

/**
 * Entries as they stand where a damaged trailer must be: not to be believed, but good enough to try, for the content of
 * a frame proves its id.
 */
export async function guessEntries(
  backend: Backend,
  packId: string,
  packBytes: number,
): Promise<PackEntry[]> {
  const name = packName(packId);
  const footer = await fetchObject(backend, name, {
    offset: Math.max(0, packBytes - packFooterBytes),
    length: packFooterBytes,
  });
  if (!Buffer.isBuffer(footer)) return [];
  const place = decodeFooter(footer, packBytes);
  if ('wrong' in place || place.length > trailerLimitBytes) return [];
  const trailer = await fetchObject(backend, name, place);
  if (!Buffer.isBuffer(trailer)) return [];
  return [...trailerEntries(trailer)].filter((entry) => isPossible(entry, place.offset));
}

function isPossible({ offset, storedLength, plainLength }: PackEntry, end: number): boolean {
  return (
    offset >= packHeaderBytes &&
    storedLength > 0 &&
    storedLength <= frameLimitBytes &&
    plainLength > 0 &&
    plainLength <= plainLimitBytes &&
    offset + storedLength <= end
  );
}
