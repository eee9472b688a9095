import { isHoldfastError, messageOf } from '../errors/index.ts';
import type { Backend } from './backend.ts';
import { configCopyName, configName, markerNames, packPrefix, pointPrefix } from './layout.ts';
import { decodeConfig, encodeConfig, type StoreConfig } from './store-config.ts';

/** A store's description, which is kept twice: in an encrypted store nothing can be read without it. */
export interface Description {
  config: StoreConfig;
  /** Of the two objects, those that do not say so. */
  wrong: { name: string; kind: 'missing' | 'corrupt'; message: string }[];
}

/** With neither config nor error: it is not there. */
type Half = { name: string } & ({ config: StoreConfig } | { error: unknown } | object);

/**
 * What a store is. The first object counts if it can be read; the copy stands in for it, but not where there is nothing in
 * the store yet: there the description was never written, for it comes last. Undefined: no store.
 * @throws StoreDamaged @throws StoreVersionNotSupported @throws StoreUnavailable when neither can be read, and why the
 * first cannot
 */
export async function readDescription(backend: Backend): Promise<Description | undefined> {
  const first = await readHalf(backend, configName);
  const copy = await readHalf(backend, configCopyName);
  if ('config' in first) return described(first.config, [first, copy]);
  if ('config' in copy && ('error' in first || (await firstContent(backend)) !== undefined))
    return described(copy.config, [first, copy]);
  if ('error' in first) throw first.error;
  return undefined;
}

async function readHalf(backend: Backend, name: string): Promise<Half> {
  try {
    const bytes = await backend.get(name);
    return bytes === undefined ? { name } : { name, config: decodeConfig(bytes, name) };
  } catch (error) {
    if (!isHoldfastError(error, 'StoreDamaged', 'StoreVersionNotSupported', 'StoreUnavailable')) throw error;
    return { name, error };
  }
}

function described(config: StoreConfig, halves: readonly Half[]): Description {
  const right = encodeConfig(config);
  const wrong: Description['wrong'] = [];
  for (const half of halves) {
    const { name } = half;
    if ('error' in half) wrong.push({ name, kind: 'corrupt', message: messageOf(half.error) });
    else if (!('config' in half)) wrong.push({ name, kind: 'missing', message: `${name} is missing.` });
    else if (!encodeConfig(half.config).equals(right))
      wrong.push({ name, kind: 'corrupt', message: `${name} is that of another store.` });
  }
  return { config, wrong };
}

/** The name of any pack or point there is: without a description, these are the remains of a store. */
export async function firstContent(backend: Backend): Promise<string | undefined> {
  const markers: readonly string[] = markerNames;
  for (const prefix of [packPrefix, pointPrefix])
    for await (const { name } of backend.list(prefix)) if (!markers.includes(name)) return name;
  return undefined;
}

/** One of the two is enough to open the store; what cannot be mended now is found by a verification. */
export async function mendDescription(backend: Backend, { config, wrong }: Description): Promise<void> {
  try {
    for (const { name } of wrong) await backend.put(name, [encodeConfig(config)]);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
}

/** What an open store, which knows what its description says, finds in its place. @throws StoreUnavailable */
export async function checkDescription(backend: Backend, config: StoreConfig): Promise<Description['wrong']> {
  const halves = [await readHalf(backend, configName), await readHalf(backend, configCopyName)];
  const isAway = (half: Half) => 'error' in half && isHoldfastError(half.error, 'StoreUnavailable');
  for (const half of halves) if ('error' in half && halves.every(isAway)) throw half.error;
  return described(config, halves).wrong;
}
