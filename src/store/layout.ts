/** Names of the objects of a store; `docs/store-format.md` describes what is in them. */
export const configName = 'holdfast-store';
/** The same once more: without what it says, the keys of an encrypted store open nothing. */
export const configCopyName = 'holdfast-store-copy';

export const packPrefix = 'packs/';
export const indexPrefix = 'index/';
export const segmentSuffix = '.segment';
export const tablePrefix = 'table/';
export const tableSuffix = '.table';
export const pointPrefix = 'points/';
export const generationPrefix = 'generations/';
export const quarantinePrefix = 'quarantine/';
export const reserveName = 'reserve/space';
export const keyPrefix = 'keys/';
/** The same keys once more: a few hundred bytes must not be all that a whole store hangs on. */
export const keyCopyPrefix = 'key-copies/';

/** What the names of a store's objects begin with, the description and its copy apart. */
export const storePrefixes: readonly string[] = [
  packPrefix,
  indexPrefix,
  tablePrefix,
  pointPrefix,
  generationPrefix,
  quarantinePrefix,
  keyPrefix,
  keyCopyPrefix,
  'reserve/',
];

/** Objects that every listing of the prefix must show: a listing without them is not believed. */
export const markerNames = ['packs/marker', 'points/marker'] as const;

/** The same for the keys, which only an encrypted store has. */
export const keyMarkerName = 'keys/marker';

const packPattern = /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.pack$/;
const pointPattern = /^points\/([A-Za-z0-9][A-Za-z0-9-]{0,127})\/([A-Za-z0-9][A-Za-z0-9-]{0,127})\.point$/;
const generationPattern = /^generations\/([1-9][0-9]{0,14})\.generation$/;
const quarantinePattern = /^quarantine\/([0-9a-f]{64})\.quarantine$/;
const keyPattern = /^(?:keys|key-copies)\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.key$/;
const identifierPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,127}$/;

/** `id`: SHA-256 of the pack's trailer, lower-case hex. */
export function packName(id: string): string {
  return `${packPrefix}${id.slice(0, 2)}/${id}.pack`;
}

export function packIdOf(name: string): string | undefined {
  return packPattern.exec(name)?.[2];
}

export function pointName(itemId: string, pointId: string): string {
  return `${pointPrefix}${itemId}/${pointId}.point`;
}

export function pointOf(name: string): { itemId: string; pointId: string } | undefined {
  const [, itemId, pointId] = pointPattern.exec(name) ?? [];
  return itemId === undefined || pointId === undefined ? undefined : { itemId, pointId };
}

export function generationName(generation: number): string {
  return `${generationPrefix}${generation}.generation`;
}

export function generationOf(name: string): number | undefined {
  const [, generation] = generationPattern.exec(name) ?? [];
  return generation === undefined ? undefined : Number(generation);
}

/** `packId`: the pack whose damage is noted there. */
export function quarantineName(packId: string): string {
  return `${quarantinePrefix}${packId}.quarantine`;
}

export function quarantineOf(name: string): string | undefined {
  return quarantinePattern.exec(name)?.[1];
}

/** `wrapId`: a UUID. */
export function keyName(wrapId: string): string {
  return `${keyPrefix}${wrapId}.key`;
}

export function keyCopyName(wrapId: string): string {
  return `${keyCopyPrefix}${wrapId}.key`;
}

/** Of a key, or of its copy. */
export function wrapIdOf(name: string): string | undefined {
  return keyPattern.exec(name)?.[1];
}

/** Item and point ids become names of objects: anything else in them is a bug of the caller. */
export function checkIdentifier(kind: 'item' | 'point', value: string): void {
  if (!identifierPattern.test(value))
    throw new Error(`not a valid ${kind} id (letters, digits and hyphens, at most 128): ${value}`);
}
