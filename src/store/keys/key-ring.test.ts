import { describe, expect, test } from 'vitest';
import { isHoldfastError } from '../../errors/index.ts';
import { fileSystemBackend } from '../backends/file-system.ts';
import {
  createStore,
  type KeyRing,
  memoryBackend,
  type NewSecret,
  newKeyFile,
  newRecoveryKey,
  openStore,
  type Store,
  type StoreSecret,
} from '../index.ts';
import { ForgetfulFiles } from '../testing/forgetful-files.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from '../testing/model-disk.ts';

const options = { clock: testClock, chunkSizeBytes: testChunkBytes, threads: 0 };
const directory = '/srv/store';
const content = bytesFrom(1, 3 * testChunkBytes);

function keyFile(label: string): NewSecret {
  return { kind: 'key-file', text: newKeyFile(), label };
}

function recovery(label: string): NewSecret {
  return { kind: 'recovery', text: newRecoveryKey(), label };
}

function ringOf({ keys }: Store): KeyRing {
  if (keys === undefined) throw new Error('the store is not encrypted');
  return keys;
}

describe('the keys of a store', () => {
  test('are added, renamed, replaced and removed, and only what is left opens it', async () => {
    const backend = memoryBackend();
    const opens = async (secret: StoreSecret) => {
      const { kind, text } = secret;
      try {
        await using store = await openStore(backend, { ...options, unlock: [{ kind, text }] });
        return (await restore(store, 'p')).equals(content);
      } catch (error) {
        if (isHoldfastError(error, 'StoreKeyWrong')) return false;
        throw error;
      }
    };
    const [one, two, three] = [keyFile('one'), recovery('two'), keyFile('three')];
    const phrase = { kind: 'passphrase', text: 'twelve chars', label: 'phrase' } as const;
    {
      await using store = await createStore(backend, { ...options, encryption: { secrets: [one] } });
      await backUp(store, 'p', content);
      const packs = new Map([...backend.objects].filter(([name]) => name.startsWith('packs/')));
      const keys = ringOf(store);
      const added = await keys.add(two);
      expect(added).toEqual({
        wrapId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        kind: 'recovery',
        label: 'two',
        createdAt: '2026-11-21T06:00:00Z',
      });
      await keys.add(phrase);
      expect(await keys.rename(added.wrapId, 'safe')).toEqual({ ...added, label: 'safe' });
      const [first] = (await keys.list()).keys.filter(({ label }) => label === 'one');
      await keys.replace(first?.wrapId ?? '', three);
      const { keys: listed, damaged } = await keys.list();
      expect(listed.map(({ label }) => label).sort()).toEqual(['phrase', 'safe', 'three']);
      expect(damaged).toEqual([]);
      for (const [name, bytes] of packs) expect(backend.objects.get(name)).toBe(bytes);
    }
    expect(await Promise.all([opens(one)])).toEqual([false]);
    for (const secret of [two, three, phrase]) expect(await opens(secret)).toBe(true);
    {
      await using store = await openStore(backend, { ...options, unlock: [three] });
      const keys = ringOf(store);
      for (const { wrapId, label } of (await keys.list()).keys)
        if (label !== 'phrase') await keys.remove(wrapId);
    }
    expect(await opens(phrase)).toBe(true);
    expect(await opens(two)).toBe(false);
  });

  test('are never all removed, also when several are removed at once', async () => {
    await using store = await createStore(memoryBackend(), {
      ...options,
      encryption: { secrets: [keyFile('one'), keyFile('two')] },
    });
    const keys = ringOf(store);
    const [one, two] = (await keys.list()).keys;
    const removed = await Promise.allSettled([one, two].map((key) => keys.remove(key?.wrapId ?? '')));
    expect(removed.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await keys.list()).keys).toHaveLength(1);
    const last = (await keys.list()).keys[0]?.wrapId ?? '';
    await expect(keys.remove(last)).rejects.toMatchObject({
      code: 'StoreKeyLast',
      message: expect.stringContaining('nobody could ever read'),
    });
  });

  test('that cannot be read do not count as another key, and are reported', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, {
      ...options,
      encryption: { secrets: [keyFile('one'), keyFile('two')] },
    });
    const keys = ringOf(store);
    const [one, two] = (await keys.list()).keys;
    for (const place of ['keys', 'key-copies']) {
      const bytes = backend.objects.get(`${place}/${two?.wrapId}.key`) ?? Buffer.alloc(0);
      bytes[bytes.length - 5] = 0;
    }
    const listed = await keys.list();
    expect(listed.keys.map(({ wrapId }) => wrapId)).toEqual([one?.wrapId]);
    expect(listed.damaged).toEqual([expect.stringContaining(`keys/${two?.wrapId}.key is damaged`)]);
    await expect(keys.remove(one?.wrapId ?? '')).rejects.toMatchObject({ code: 'StoreKeyLast' });
    await keys.remove(two?.wrapId ?? '');
    expect(await keys.list()).toEqual({ keys: [one], damaged: [] });
    expect([...backend.objects.keys()].filter((name) => name.includes(two?.wrapId ?? ''))).toEqual([]);
  });

  test.each(['keys', 'key-copies'])(
    'outlive all that is in %s, and are whole again when it is opened',
    async (place) => {
      for (const harm of ['deleted', 'emptied', 'cut', 'older label'] as const) {
        const backend = memoryBackend();
        const secret = keyFile('one');
        const older = new Map<string, Buffer>();
        {
          await using store = await createStore(backend, {
            ...options,
            encryption: { secrets: [secret] },
          });
          await backUp(store, 'p', content);
          for (const [name, bytes] of backend.objects) older.set(name, bytes);
          const [key] = (await ringOf(store).list()).keys;
          await ringOf(store).rename(key?.wrapId ?? '', 'in the safe');
        }
        const whole = new Map(backend.objects);
        for (const [name, bytes] of whole) {
          if (!name.startsWith(`${place}/`)) continue;
          if (harm === 'deleted') backend.objects.delete(name);
          else if (harm === 'emptied') backend.objects.set(name, Buffer.alloc(0));
          else if (harm === 'cut') backend.objects.set(name, bytes.subarray(0, -20));
          else backend.objects.set(name, older.get(name) ?? bytes);
        }
        await using store = await openStore(backend, { ...options, unlock: [secret] });
        expect((await restore(store, 'p')).equals(content)).toBe(true);
        const { keys, damaged } = await ringOf(store).list();
        expect({ labels: keys.map(({ label }) => label), damaged }, harm).toEqual({
          labels: [harm === 'older label' && place === 'keys' ? 'one' : 'in the safe'],
          damaged: [],
        });
        const [one, other] = ['keys', 'key-copies'].map((each) =>
          backend.objects.get(`${each}/${keys[0]?.wrapId}.key`),
        );
        expect(one !== undefined && other?.equals(one), harm).toBe(true);
        await store.repair({ dryRun: false });
        expect((await store.verify()).damagedObjects, harm).toEqual([]);
      }
    },
  );

  test('refuse what they do not have, what nobody may use, and more than there is use for', async () => {
    await using store = await createStore(memoryBackend(), {
      ...options,
      encryption: { secrets: [keyFile('0')] },
    });
    const keys = ringOf(store);
    const missing = { code: 'StoreKeyNotFound' };
    const nobody = '00000000-0000-4000-8000-000000000000';
    await expect(keys.remove(nobody)).rejects.toMatchObject(missing);
    await expect(keys.rename(nobody, 'x')).rejects.toMatchObject(missing);
    await expect(keys.replace('../holdfast-store', keyFile('x'))).rejects.toMatchObject(missing);
    const [first] = (await keys.list()).keys;
    for (const label of ['', 'a\nb', 'x'.repeat(101)])
      await expect(keys.rename(first?.wrapId ?? '', label)).rejects.toMatchObject({ code: 'InvalidInput' });
    const weak = { kind: 'passphrase', text: 'short', label: 'x' } as const;
    await expect(keys.add(weak)).rejects.toMatchObject({ code: 'KeyNotUsable' });
    for (let number = 1; number < 32; number++) await keys.add(keyFile(`${number}`));
    await expect(keys.add(keyFile('one too many'))).rejects.toMatchObject({ code: 'KeyNotUsable' });
    await keys.replace(first?.wrapId ?? '', keyFile('in its place'));
    expect((await keys.list()).keys).toHaveLength(32);
  });

  test('that do not come back from the medium as they were written do not stay', async () => {
    const backend = memoryBackend();
    await using store = await createStore(backend, { ...options, encryption: { secrets: [keyFile('one')] } });
    const { put } = backend;
    backend.put = async (name, parts) => {
      await put(name, parts);
      const bytes = backend.objects.get(name);
      if (name.endsWith('.key') && bytes) bytes[bytes.length - 9] = 0;
    };
    await expect(ringOf(store).add(keyFile('two'))).rejects.toMatchObject({ code: 'StoreUnavailable' });
    backend.put = put;
    expect(await ringOf(store).list()).toMatchObject({ keys: [{ label: 'one' }], damaged: [] });
  });
});

describe('a crash at any instant', () => {
  test('of a change of keys leaves the old or the new, and never none', async () => {
    const files = new ForgetfulFiles();
    const backend = fileSystemBackend(directory, files);
    const [one, two, three] = [keyFile('one'), recovery('two'), keyFile('three')];
    const must = new Set<NewSecret>([one]);
    const may = new Set<NewSecret>([one]);
    const crashes: { call: string; files: ForgetfulFiles; must: NewSecret[]; may: NewSecret[] }[] = [];
    {
      await using store = await createStore(backend, { ...options, encryption: { secrets: [one] } });
      await backUp(store, 'p', content);
      files.onCall = (call) => {
        for (const what of ['lost', 'kept'] as const)
          crashes.push({ call, files: files.clone(what), must: [...must], may: [...may] });
      };
      const keys = ringOf(store);
      may.add(two);
      const second = await keys.add(two);
      must.add(two);
      await keys.rename(second.wrapId, 'safe');
      const [first] = (await keys.list()).keys.filter(({ label }) => label === 'one');
      may.add(three);
      must.delete(one);
      await keys.replace(first?.wrapId ?? '', three);
      must.add(three);
      may.delete(one);
      must.delete(two);
      await keys.remove(second.wrapId);
      may.delete(two);
    }
    await files.onCall('the end');
    files.onCall = () => {};
    expect(crashes.length).toBeGreaterThan(40);
    for (const crash of crashes) {
      let opened = 0;
      for (const { label, ...secret } of [one, two, three]) {
        const known = [...crash.may].find(({ text }) => text === secret.text);
        try {
          await using store = await openStore(fileSystemBackend(directory, crash.files), {
            ...options,
            unlock: [secret],
          });
          expect(known, `${crash.call}: ${label} opens`).toBeDefined();
          expect((await restore(store, 'p')).equals(content)).toBe(true);
          expect((await ringOf(store).list()).damaged, crash.call).toEqual([]);
          opened++;
        } catch (error) {
          if (!isHoldfastError(error, 'StoreKeyWrong')) throw error;
          const isRequired = crash.must.some(({ text }) => text === secret.text);
          expect(isRequired, `${crash.call}: ${label} does not open`).toBe(false);
        }
      }
      expect(opened, crash.call).toBeGreaterThan(0);
    }
  });

  test('of the creation leaves a store that opens with its key, or a free place', async () => {
    const files = new ForgetfulFiles();
    const [one, other] = [keyFile('one'), keyFile('other')];
    const crashes: ForgetfulFiles[] = [];
    files.onCall = () => void crashes.push(files.clone('lost'), files.clone('kept'));
    const created = await createStore(fileSystemBackend(directory, files), {
      ...options,
      encryption: { secrets: [one, recovery('two')] },
    });
    await created[Symbol.asyncDispose]();
    files.onCall = () => {};
    let free = 0;
    for (const crashed of crashes) {
      const backend = fileSystemBackend(directory, crashed);
      const store = await openStore(backend, { ...options, unlock: [one] }).catch((error: unknown) => {
        if (!isHoldfastError(error, 'StoreNotFound')) throw error;
        free++;
        return createStore(backend, { ...options, encryption: { secrets: [other] } });
      });
      expect((await ringOf(store).list()).keys.length).toBeLessThanOrEqual(2);
      await backUp(store, 'p', content);
      expect((await restore(store, 'p')).equals(content)).toBe(true);
      await store[Symbol.asyncDispose]();
    }
    expect(free).toBeGreaterThan(10);
    expect(free).toBeLessThan(crashes.length);
  });
});
