import { isHoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { decodeDocument, encodeDocument } from '../document.ts';
import { quarantineName, quarantineOf, quarantinePrefix } from '../layout.ts';
import { mapOrdered } from '../map-ordered.ts';
import { fetchObject } from '../object-access.ts';

/** What is known to be wrong with one pack: the body of a document under `quarantine/`. */
export interface QuarantineRecord {
  pack: string;
  /** Offsets of frames that cannot be read, ascending. */
  frames: readonly number[];
  /** No frame of the pack may be relied upon, whether or not it can be read. */
  all: boolean;
  /** What is wrong with the header, the trailer or the footer. */
  container?: string | undefined;
  /** Every chunk that was in it is known to be in another pack: a collection may take it. */
  salvaged: boolean;
}

const recordsInFlight = 8;

/** More bad frames in one pack than this are not listed one by one: the whole pack is then not relied upon. */
export const frameListLimit = 4096;

export function encodeQuarantine(record: QuarantineRecord): Buffer {
  return encodeDocument('quarantine', record);
}

/**
 * All records that can be read. One that cannot is passed over: what it said is found again by whoever reads the pack.
 * `unreadable`: their names.
 */
export async function loadQuarantine(
  backend: Backend,
): Promise<{ records: QuarantineRecord[]; unreadable: string[] }> {
  const records: QuarantineRecord[] = [];
  const unreadable: string[] = [];
  async function* names() {
    for await (const { name } of backend.list(quarantinePrefix)) {
      if (quarantineOf(name) !== undefined) yield name;
    }
  }
  for await (const { name, record } of mapOrdered(names(), recordsInFlight, async (name) => ({
    name,
    record: await readRecord(backend, name),
  }))) {
    if (record === undefined) unreadable.push(name);
    else records.push(record);
  }
  return { records, unreadable };
}

async function readRecord(backend: Backend, name: string): Promise<QuarantineRecord | undefined> {
  const bytes = await fetchObject(backend, name);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const body = decodeDocument('quarantine', name, bytes);
    return isRecord(body) && name === quarantineName(body.pack) ? body : undefined;
  } catch (error) {
    if (isHoldfastError(error, 'StoreDamaged')) return undefined;
    throw error;
  }
}

function isRecord(body: unknown): body is QuarantineRecord {
  const { pack, frames, all, container, salvaged } = (body ?? {}) as Partial<QuarantineRecord>;
  return (
    typeof pack === 'string' &&
    Array.isArray(frames) &&
    frames.length <= frameListLimit &&
    frames.every((offset) => Number.isSafeInteger(offset) && offset >= 0) &&
    typeof all === 'boolean' &&
    typeof salvaged === 'boolean' &&
    (container === undefined || typeof container === 'string')
  );
}
