import { isHoldfastError } from '../errors/index.ts';
import type { Backend } from './backend.ts';
import type { Documents } from './document.ts';
import { generationName, generationOf, generationPrefix } from './layout.ts';
import { fetchObject } from './object-access.ts';

/** What a collection leaves for the next: the body of a document under `generations/`. */
export interface GenerationRecord {
  /** Counts the collections that changed anything. */
  generation: number;
  at: string;
  /** Points the collection found. */
  points: number;
  /** Packs to be deleted by a later generation, if nothing refers to them then. */
  condemned: readonly { generation: number; at: string; packs: readonly string[] }[];
  /** Packs that were deleted, or were about to be, and may still be mentioned by index segments. */
  removed: readonly string[];
}

export interface LoadedGeneration {
  record: GenerationRecord | undefined;
  /** Of all the documents there are, the readable and the others. */
  names: readonly string[];
  /** The highest number in use. */
  highest: number;
}

const packIdPattern = /^[0-9a-f]{64}$/;

/**
 * The newest generation that can be read. Losing one loses no data: what it had condemned counts again, and is
 * condemned anew. @throws StoreVersionNotSupported
 */
export async function loadGeneration(backend: Backend, documents: Documents): Promise<LoadedGeneration> {
  const found: { name: string; generation: number }[] = [];
  for await (const { name } of backend.list(generationPrefix)) {
    const generation = generationOf(name);
    if (generation !== undefined) found.push({ name, generation });
  }
  found.sort((a, b) => b.generation - a.generation);
  let record: GenerationRecord | undefined;
  for (const { name } of found) {
    record ??= await readRecord(backend, documents, name);
  }
  return { record, names: found.map(({ name }) => name), highest: found[0]?.generation ?? 0 };
}

async function readRecord(
  backend: Backend,
  documents: Documents,
  name: string,
): Promise<GenerationRecord | undefined> {
  const bytes = await fetchObject(backend, name);
  if (!Buffer.isBuffer(bytes)) return undefined;
  try {
    const body = documents.decode('generation', name, bytes);
    return isRecord(body) && generationOf(name) === body.generation ? body : undefined;
  } catch (error) {
    if (isHoldfastError(error, 'StoreDamaged')) return undefined;
    throw error;
  }
}

function isRecord(body: unknown): body is GenerationRecord {
  const { generation, at, points, condemned, removed } = (body ?? {}) as Partial<GenerationRecord>;
  const arePacks = (value: unknown) =>
    Array.isArray(value) && value.every((id) => typeof id === 'string' && packIdPattern.test(id));
  return (
    Number.isSafeInteger(generation) &&
    isInstant(at) &&
    Number.isSafeInteger(points) &&
    Array.isArray(condemned) &&
    condemned.every(
      (group) => Number.isSafeInteger(group?.generation) && isInstant(group.at) && arePacks(group.packs),
    ) &&
    arePacks(removed)
  );
}

function isInstant(value: unknown): value is string {
  try {
    return typeof value === 'string' && Temporal.Instant.from(value) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export function encodeGeneration(
  record: GenerationRecord,
  documents: Documents,
): { name: string; bytes: Buffer } {
  const name = generationName(record.generation);
  return { name, bytes: documents.encode('generation', name, record) };
}
