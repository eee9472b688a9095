import { type Backend, checkObjectName, checkPrefix, neverLost } from '../backend.ts';

/** A backend that lives as long as the process; for tests, and to see what a backend must do without a disk under it. */
export interface MemoryBackend extends Backend {
  /** The objects themselves: a test may look at them and damage them. */
  readonly objects: Map<string, Buffer>;
}

export function memoryBackend(objects = new Map<string, Buffer>()): MemoryBackend {
  let locked = false;
  return {
    objects,
    description: 'memory',
    async capabilities() {
      return { atomicReplace: true, conditionalPut: false, objectLock: false, contentCheck: true };
    },
    async exists() {
      return true;
    },
    async lock() {
      if (locked) return undefined;
      locked = true;
      return {
        lost: neverLost,
        async [Symbol.asyncDispose]() {
          locked = false;
        },
      };
    },
    async put(name, parts) {
      checkObjectName(name);
      const copies: Uint8Array[] = [];
      for await (const part of parts) copies.push(Uint8Array.from(part));
      objects.set(name, Buffer.concat(copies));
    },
    async get(name, range) {
      checkObjectName(name);
      range?.signal?.throwIfAborted();
      const object = objects.get(name);
      if (object === undefined) return undefined;
      const { offset, length } = range ?? { offset: 0, length: object.length };
      return Buffer.from(object.subarray(offset, offset + length));
    },
    async stat(name) {
      checkObjectName(name);
      const object = objects.get(name);
      return object && { name, sizeBytes: object.length };
    },
    async *list(prefix) {
      checkPrefix(prefix);
      for (const [name, object] of [...objects]) {
        if (name.startsWith(prefix)) yield { name, sizeBytes: object.length };
      }
    },
    async delete(name) {
      checkObjectName(name);
      objects.delete(name);
    },
  };
}
