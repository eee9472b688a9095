import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import type { Backend, ObjectInfo, ObjectRange } from './backend.ts';
import { configCopyName, configName } from './layout.ts';

/**
 * As `backend.get`, but where this one object cannot be read while the store's description can, the answer is the
 * reason, as a string: a bad sector under one object is damage, and must not make the whole store unavailable.
 */
export async function fetchObject(
  backend: Backend,
  name: string,
  range?: ObjectRange,
): Promise<Buffer | undefined | string> {
  try {
    return await backend.get(name, range);
  } catch (error) {
    if (!isHoldfastError(error, 'StoreUnavailable')) throw error;
    if (!(await isReachable(backend))) throw error;
    return messageOf(error);
  }
}

/** Whether the description can be read, or its copy: one of them may be what the medium has lost. */
async function isReachable(backend: Backend): Promise<boolean> {
  for (const name of [configName, configCopyName]) {
    try {
      if ((await backend.get(name)) !== undefined) return true;
    } catch (error) {
      if (!isHoldfastError(error, 'StoreUnavailable')) throw error;
    }
  }
  return false;
}

/**
 * What `backend.list` yields, then StoreUnavailable if that was nothing. Every prefix listed with this has a marker in it,
 * so a listing that shows nothing has failed: it would otherwise look like a store that has nothing to keep.
 */
export async function* believableListing(backend: Backend, prefix: string): AsyncGenerator<ObjectInfo> {
  let isEmpty = true;
  for await (const object of backend.list(prefix)) {
    isEmpty = false;
    yield object;
  }
  if (isEmpty)
    throw new HoldfastError(
      'StoreUnavailable',
      `The listing of ${prefix} in the store at ${backend.description} is empty; it should show at least ${prefix}marker.`,
      { target: backend.description },
    );
}
