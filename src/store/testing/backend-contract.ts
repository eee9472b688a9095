import { describe, expect, test } from 'vitest';
import type { Backend } from '../backend.ts';

/** What every backend must do: the guarantees in the comment above `Backend`, as far as one process can see them. */
export function backendContract(name: string, makeBackend: () => Promise<Backend>): void {
  const bytes = (text: string) => Buffer.from(text);
  const names = async (backend: Backend, prefix: string) =>
    (await Array.fromAsync(backend.list(prefix))).map((object) => object.name).sort();

  async function locked(): Promise<Backend> {
    const backend = await makeBackend();
    expect(await backend.lock({ create: true })).toBeDefined();
    return backend;
  }

  describe(`${name} as a backend`, () => {
    test('gives back what was put, whole and in ranges', async () => {
      const backend = await locked();
      await backend.put('packs/ab/one.pack', [bytes('hello '), bytes(''), bytes('world')]);
      expect(String(await backend.get('packs/ab/one.pack'))).toBe('hello world');
      expect(String(await backend.get('packs/ab/one.pack', { offset: 6, length: 3 }))).toBe('wor');
      expect(String(await backend.get('packs/ab/one.pack', { offset: 6, length: 300 }))).toBe('world');
      expect(String(await backend.get('packs/ab/one.pack', { offset: 60, length: 3 }))).toBe('');
      expect(await backend.stat('packs/ab/one.pack')).toEqual({ name: 'packs/ab/one.pack', sizeBytes: 11 });
    });

    test('takes parts that come one by one', async () => {
      const backend = await locked();
      const part = Buffer.alloc(1000);
      async function* parts() {
        for (let number = 0; number < 5; number++) yield part.fill(number);
      }
      await backend.put('index/one', parts());
      const expected = Buffer.concat([0, 1, 2, 3, 4].map((number) => Buffer.alloc(1000, number)));
      expect(expected.equals((await backend.get('index/one')) ?? Buffer.alloc(0))).toBe(true);
    });

    test('does not keep the memory it was handed', async () => {
      const backend = await locked();
      const part = bytes('before');
      await backend.put('index/one', [part]);
      part.fill('x');
      expect(String(await backend.get('index/one'))).toBe('before');
    });

    test('says undefined for what is not there', async () => {
      const backend = await locked();
      expect(await backend.get('points/none')).toBeUndefined();
      expect(await backend.stat('points/none')).toBeUndefined();
      expect(await names(backend, 'points/')).toEqual([]);
      await backend.delete('points/none');
    });

    test('lists exactly what begins with the prefix, with sizes', async () => {
      const backend = await locked();
      for (const object of ['points/a/1', 'points/a/2', 'points/b/1', 'pointsx/c', 'index/1'])
        await backend.put(object, [bytes(object)]);
      expect(await names(backend, 'points/')).toEqual(['points/a/1', 'points/a/2', 'points/b/1']);
      expect(await names(backend, 'points/a/')).toEqual(['points/a/1', 'points/a/2']);
      const [found] = await Array.fromAsync(backend.list('index/'));
      expect(found).toEqual({ name: 'index/1', sizeBytes: 7 });
    });

    test('replaces an object in one step', async () => {
      const backend = await locked();
      await backend.put('index/one', [bytes('a longer first version')]);
      await backend.put('index/one', [bytes('second')]);
      expect(String(await backend.get('index/one'))).toBe('second');
      expect(await names(backend, 'index/')).toEqual(['index/one']);
    });

    test('a put that fails half way leaves the name as it was and nothing else', async () => {
      const backend = await locked();
      await backend.put('index/one', [bytes('first')]);
      async function* broken() {
        yield bytes('sec');
        throw new Error('the source broke');
      }
      await expect(backend.put('index/one', broken())).rejects.toThrow('the source broke');
      await expect(backend.put('index/two', broken())).rejects.toThrow('the source broke');
      expect(String(await backend.get('index/one'))).toBe('first');
      expect(await names(backend, 'index/')).toEqual(['index/one']);
    });

    test('forgets what was deleted', async () => {
      const backend = await locked();
      await backend.put('points/a/1', [bytes('1')]);
      await backend.delete('points/a/1');
      expect(await backend.get('points/a/1')).toBeUndefined();
      expect(await names(backend, 'points/')).toEqual([]);
    });

    test('refuses names that could lead out of its place', async () => {
      const backend = await locked();
      for (const bad of ['', '/x', '../x', 'a/../b', 'a//b', 'a/', '.x', 'tmp/x', 'lock', 'a/b/c/d/e'])
        await expect(async () => backend.put(bad, [])).rejects.toThrow(`not an object name: ${bad}`);
    });

    test('lets one holder in at a time', async () => {
      const backend = await makeBackend();
      const first = await backend.lock({ create: true });
      expect(await backend.lock({ create: false })).toBeUndefined();
      await first?.[Symbol.asyncDispose]();
      expect(await backend.lock({ create: false })).toBeDefined();
    });

    test('stops reading when told to', async () => {
      const backend = await locked();
      await backend.put('index/one', [bytes('1')]);
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(async () => backend.get('index/one', { offset: 0, length: 1, signal })).rejects.toThrow(
        'enough',
      );
    });
  });
}
