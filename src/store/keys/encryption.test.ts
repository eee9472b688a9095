import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createStore, type MemoryBackend, memoryBackend, newRecoveryKey, openStore } from '../index.ts';
import {
  decodeFooter,
  encodeFooter,
  encodeTrailer,
  isSealed,
  type PackEntry,
  packFooterBytes,
  packHeader,
  packIdOfTrailer,
  trailerEntries,
} from '../pack-format.ts';
import { testKeyFile } from '../testing/encrypted.ts';
import { backUp, bytesFrom, restore, testChunkBytes, testClock } from '../testing/model-disk.ts';
import { sealBytes } from './seal.ts';

const encryption = { secrets: [testKeyFile] };
const options = { clock: testClock, chunkSizeBytes: testChunkBytes };
const opening = { ...options, unlock: [testKeyFile] };

/** Compressible, noise, zeros. */
const content = Buffer.concat([
  bytesFrom(2, 10 * testChunkBytes),
  bytesFrom(3, 10 * testChunkBytes + 777),
  Buffer.alloc(5 * testChunkBytes),
  bytesFrom(5, 100),
]);

async function encryptedStore(): Promise<MemoryBackend> {
  const backend = memoryBackend();
  await using store = await createStore(backend, { ...options, encryption });
  await backUp(store, 'p', content);
  return backend;
}

function object(backend: MemoryBackend, name: string): Buffer {
  const bytes = backend.objects.get(name);
  if (bytes === undefined) throw new Error(`no object ${name}`);
  return bytes;
}

function namesOf(backend: MemoryBackend, suffix: string): string[] {
  return [...backend.objects.keys()].filter((name) => name.endsWith(suffix)).sort();
}

/** What somebody without the key can do: change a pack as they like, with every sum right again. */
function forgePack(
  backend: MemoryBackend,
  change: (frames: { entry: PackEntry; bytes: Buffer }[]) => void,
): void {
  for (const name of namesOf(backend, '.segment')) backend.objects.delete(name);
  const [name = ''] = namesOf(backend, '.pack');
  const pack = object(backend, name);
  const place = decodeFooter(pack.subarray(-packFooterBytes), pack.length);
  if ('wrong' in place) throw new Error(place.wrong);
  const frames = [...trailerEntries(pack.subarray(place.offset, place.offset + place.length))].map(
    (entry) => ({
      entry,
      bytes: Buffer.from(pack.subarray(entry.offset, entry.offset + entry.storedLength)),
    }),
  );
  change(frames);
  let offset = packHeader().length;
  const entries = frames.map(({ entry, bytes }) => {
    const moved = { ...entry, offset, storedLength: bytes.length, crc: crc32(bytes) };
    offset += bytes.length;
    return moved;
  });
  const trailer = encodeTrailer(entries);
  const id = packIdOfTrailer(trailer);
  backend.objects.delete(name);
  const parts = [packHeader(), ...frames.map(({ bytes }) => bytes), trailer, encodeFooter(offset, trailer)];
  backend.objects.set(`packs/${id.slice(0, 2)}/${id}.pack`, Buffer.concat(parts));
}

/** As {@link forgePack}, for a document: its body and first line, with the sum right again. */
function forgeDocument(
  bytes: Buffer,
  change: (parts: { first: string; body: Buffer }) => { first: string; body: Buffer },
): Buffer {
  const firstEnd = bytes.indexOf('\n');
  const secondEnd = bytes.indexOf('\n', firstEnd + 1);
  const { first, body } = change({
    first: bytes.toString('utf8', 0, firstEnd),
    body: Buffer.from(bytes.subarray(secondEnd + 1)),
  });
  return Buffer.concat([Buffer.from(`${first}\n${hash('sha256', body)}\n`), body]);
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  flip(changed, at);
  return changed;
}

describe('an encrypted store', () => {
  test.each([0, 2])(
    'gives back what was put in, from the packs alone too, with %i threads',
    async (threads) => {
      const backend = memoryBackend();
      const large = Buffer.concat([bytesFrom(1, 3_000_000), bytesFrom(2, 4_000_000), content]);
      {
        await using store = await createStore(backend, { clock: testClock, threads, encryption });
        const { disk } = await backUp(store, 'full', large);
        const changed = Buffer.from(large);
        bytesFrom(7, 30_000).copy(changed, 2_900_000);
        const extents = [{ offset: 2_900_000, length: 30_000, zero: false }];
        const again = await backUp(store, 'incremental', changed, { base: disk, extents });
        expect(again.newBytes).toBeLessThan(150_000);
        expect((await restore(store, 'incremental')).equals(changed)).toBe(true);
        expect((await backUp(store, 'same', large)).newBytes).toBe(0);
      }
      for (const name of namesOf(backend, '.segment')) backend.objects.delete(name);
      await using store = await openStore(backend, { clock: testClock, threads, unlock: [testKeyFile] });
      expect((await restore(store, 'full')).equals(large)).toBe(true);
      expect(await store.verifyPoint('vm', 'incremental', {})).toEqual([]);
    },
  );

  test('collects and repacks, copying sealed frames as they are', async () => {
    const backend = memoryBackend();
    let now = testClock.now();
    await using store = await createStore(backend, { ...options, clock: { now: () => now }, encryption });
    const kept = bytesFrom(11, 4 * testChunkBytes);
    await backUp(store, 'both', Buffer.concat([kept, bytesFrom(13, 12 * testChunkBytes)]));
    const [before = ''] = namesOf(backend, '.pack');
    const oldPack = object(backend, before);
    await backUp(store, 'kept', kept);
    await store.deletePoint('vm', 'both');
    expect((await store.collect({ wasteThreshold: 0.1 })).repackedPacks).toBe(1);
    const copies = namesOf(backend, '.pack').filter((name) => name !== before);
    const place = (pack: Buffer) => decodeFooter(pack.subarray(-packFooterBytes), pack.length);
    let compared = 0;
    for (const name of copies) {
      const pack = object(backend, name);
      const found = place(pack);
      if ('wrong' in found) throw new Error(found.wrong);
      for (const entry of trailerEntries(pack.subarray(found.offset, found.offset + found.length))) {
        expect(isSealed(entry.codec)).toBe(true);
        const frame = pack.subarray(entry.offset, entry.offset + entry.storedLength);
        if (oldPack.includes(frame)) compared++;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(4);
    now = now.add({ hours: 25 });
    expect((await store.collect()).removedPacks).toBe(1);
    expect((await restore(store, 'kept')).equals(kept)).toBe(true);
  });

  test('names the same content otherwise than any other store', async () => {
    const idsOf = (backend: MemoryBackend) => {
      const pack = object(backend, namesOf(backend, '.pack')[0] ?? '');
      const place = decodeFooter(pack.subarray(-packFooterBytes), pack.length);
      if ('wrong' in place) throw new Error(place.wrong);
      const entries = trailerEntries(pack.subarray(place.offset, place.offset + place.length));
      return new Set([...entries].map(({ id }) => Buffer.from(id).toString('hex')));
    };
    const one = idsOf(await encryptedStore());
    const other = idsOf(await encryptedStore());
    expect(one.isDisjointFrom(other)).toBe(true);
    const plainId = createHash('sha256').update(content.subarray(0, testChunkBytes)).digest('hex');
    expect(one.has(plainId) || other.has(plainId)).toBe(false);
  });

  test('opens with any of its secrets and with nothing else, and says what it has', async () => {
    const backend = memoryBackend();
    const recovery = { kind: 'recovery', text: newRecoveryKey(), label: 'in the safe' } as const;
    const passphrase = { kind: 'passphrase', text: 'a horse in a bätteryX', label: 'ours' } as const;
    {
      const secrets = [testKeyFile, recovery, passphrase];
      await using store = await createStore(backend, { ...options, encryption: { secrets } });
      await backUp(store, 'p', content);
    }
    const typed = { kind: 'recovery', text: recovery.text.toLowerCase().replaceAll('-', ' ') } as const;
    const decomposed = { kind: 'passphrase', text: passphrase.text.normalize('NFD') } as const;
    for (const secret of [testKeyFile, typed, decomposed]) {
      await using store = await openStore(backend, { ...options, unlock: [secret] });
      expect((await restore(store, 'p')).equals(content)).toBe(true);
    }
    const broken = { kind: 'key-file', text: 'cut off on its way' } as const;
    await expect(openStore(backend, { ...options, unlock: [broken] })).rejects.toMatchObject({
      code: 'KeyNotUsable',
    });
    await (await openStore(backend, { ...options, unlock: [broken, testKeyFile] }))[Symbol.asyncDispose]();
    await expect(openStore(backend, options)).rejects.toMatchObject({
      code: 'StoreKeyRequired',
      message: expect.stringContaining('key-file "test"'),
    });
    for (const unlock of [
      [{ kind: 'key-file', text: '77'.repeat(32) }],
      [{ kind: 'recovery', text: newRecoveryKey() }],
      [{ kind: 'passphrase', text: `${passphrase.text} ` }],
    ] as const)
      await expect(openStore(backend, { ...options, unlock })).rejects.toMatchObject({
        code: 'StoreKeyWrong',
        message: expect.stringContaining('recovery "in the safe"'),
      });
    const mistyped = { kind: 'recovery', text: `${recovery.text}X` } as const;
    await expect(openStore(backend, { ...options, unlock: [mistyped] })).rejects.toMatchObject({
      code: 'KeyNotUsable',
    });
  });

  test('is not made with a secret that protects nothing, nor without one', async () => {
    const create = (secrets: Parameters<typeof createStore>[1]['encryption']) =>
      createStore(memoryBackend(), { ...options, ...(secrets && { encryption: secrets }) });
    const weak = { kind: 'passphrase', text: 'elevenchars', label: 'x' } as const;
    await expect(create({ secrets: [weak] })).rejects.toMatchObject({ code: 'KeyNotUsable' });
    const invisible = { ...testKeyFile, label: 'a\u0007b' };
    await expect(create({ secrets: [invisible] })).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(create({ secrets: [] })).rejects.toThrow('needs a secret');
  });
});

describe('whoever can write to the store', () => {
  test('cannot pass one frame off for another, nor change any part of one', async () => {
    for (const change of ['swap', 'nonce', 'ciphertext', 'tag', 'short', 'empty', 'codec'] as const) {
      const backend = await encryptedStore();
      let touched = 0;
      forgePack(backend, (frames) => {
        const noise = frames.filter(({ bytes }) => bytes.length === testChunkBytes + sealBytes);
        const [one, two] = noise;
        if (one === undefined || two === undefined) throw new Error('too few frames');
        touched = change === 'swap' ? 2 : 1;
        if (change === 'swap') [one.bytes, two.bytes] = [two.bytes, one.bytes];
        if (change === 'nonce') flip(one.bytes, 11);
        if (change === 'ciphertext') flip(one.bytes, 5000);
        if (change === 'tag') flip(one.bytes, one.bytes.length - 1);
        if (change === 'short') one.bytes = one.bytes.subarray(0, -1);
        if (change === 'empty') one.bytes = Buffer.alloc(0);
        if (change === 'codec') one.entry.codec = 3;
      });
      await using store = await openStore(backend, opening);
      const found = await store.verifyPoint('vm', 'p', {});
      expect(found, change).toHaveLength(touched);
      for (const { message } of found) expect(message, change).toContain('its seal is broken');
      await expect(restore(store, 'p')).rejects.toMatchObject({ code: 'StoreDamaged' });
    }
  });

  test('cannot slip in frames that are not sealed, not even with the right content', async () => {
    const backend = await encryptedStore();
    forgePack(backend, (frames) => {
      const target = frames.find(({ bytes }) => bytes.length === testChunkBytes + sealBytes);
      if (target === undefined) throw new Error('no frame');
      target.entry.codec = 0;
      target.bytes = content.subarray(10 * testChunkBytes, 11 * testChunkBytes);
    });
    await using store = await openStore(backend, opening);
    const [damage] = await store.verifyPoint('vm', 'p', {});
    expect(damage?.message).toContain('it is not sealed');
  });

  test('cannot change a point, give it another name, or write one', async () => {
    const name = 'points/vm/p.point';
    const original = object(await encryptedStore(), name);
    const length = forgeDocument(original, (parts) => parts).length;
    expect(length).toBe(original.length);
    const plainRecord = {
      pointId: 'p',
      itemId: 'vm',
      createdAt: '2026-11-21T06:00:00Z',
      disks: [],
      metadata: {},
    };
    const forgeries: [string, (parts: { first: string; body: Buffer }) => { first: string; body: Buffer }][] =
      [
        ['nonce', ({ first, body }) => ({ first, body: flipped(body, 0) })],
        ['ciphertext', ({ first, body }) => ({ first, body: flipped(body, 40) })],
        ['tag', ({ first, body }) => ({ first, body: flipped(body, body.length - 1) })],
        ['short', ({ first, body }) => ({ first, body: body.subarray(0, 20) })],
        ['not sealed', ({ body }) => ({ first: 'holdfast-point 1', body })],
        ['plain', () => ({ first: 'holdfast-point 1', body: Buffer.from(JSON.stringify(plainRecord)) })],
      ];
    for (const [what, change] of forgeries) {
      const backend = await encryptedStore();
      backend.objects.set(name, forgeDocument(object(backend, name), change));
      await using store = await openStore(backend, opening);
      await expect(store.readPoint('vm', 'p'), what).rejects.toMatchObject({ code: 'StoreDamaged' });
      expect((await store.listPoints()).damaged, what).toHaveLength(1);
    }
    const backend = await encryptedStore();
    backend.objects.set('points/vm/q.point', object(backend, name));
    await using store = await openStore(backend, opening);
    await expect(store.readPoint('vm', 'q')).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringContaining('under this name'),
    });
    expect((await restore(store, 'p')).equals(content)).toBe(true);
  });

  test('cannot make it look like a plain store to whoever has a key', async () => {
    const backend = await encryptedStore();
    const plain = memoryBackend();
    {
      await using _ = await createStore(plain, options);
    }
    backend.objects.set('holdfast-store', object(plain, 'holdfast-store'));
    await expect(openStore(backend, opening)).rejects.toMatchObject({ code: 'StoreNotEncrypted' });
  });

  test('cannot change a key, take one of another store, or have memory eaten by one', async () => {
    const backend = memoryBackend();
    const passphrase = { kind: 'passphrase', text: 'correct horse battery', label: 'ours' } as const;
    {
      await using _ = await createStore(backend, { ...options, encryption: { secrets: [passphrase] } });
    }
    const names = namesOf(backend, '.key');
    const [name = ''] = names;
    const original = object(backend, name);
    const fields = JSON.parse(original.toString().split('\n').slice(2).join('\n'));
    const forge = (changed: Record<string, unknown>) =>
      forgeDocument(original, ({ first }) => ({
        first,
        body: Buffer.from(JSON.stringify({ ...fields, ...changed })),
      }));
    const openWith = async (bytes: Buffer) => {
      for (const each of names) backend.objects.set(each, bytes);
      const store = await openStore(backend, { ...options, unlock: [passphrase] });
      await store[Symbol.asyncDispose]();
    };
    const hexFlip = (text: string, at: number) => flipped(Buffer.from(text, 'hex'), at).toString('hex');
    await openWith(forge({ label: 'a label is nobody’s secret' }));
    const wrong = { code: 'StoreKeyWrong' };
    for (const at of [0, 11, 12, 43, 44, 59])
      await expect(openWith(forge({ sealed: hexFlip(fields.sealed, at) }))).rejects.toMatchObject(wrong);
    await expect(openWith(forge({ salt: hexFlip(fields.salt, 3) }))).rejects.toMatchObject(wrong);
    const cheap = { memoryKiB: 64, passes: 1, parallelism: 1 };
    await expect(openWith(forge({ cost: cheap }))).rejects.toMatchObject(wrong);
    const damaged = { code: 'StoreDamaged', message: expect.stringContaining('none of its keys is left') };
    for (const cost of [
      { memoryKiB: 64 * 1024 * 1024, passes: 1, parallelism: 1 },
      { memoryKiB: 1024 * 1024, passes: 64, parallelism: 4 },
      { memoryKiB: 64, passes: 1e9, parallelism: 4 },
      { memoryKiB: 65536, passes: 3, parallelism: 1000 },
      { memoryKiB: 65536.5, passes: 3, parallelism: 4 },
      null,
      'cheap',
    ])
      await expect(openWith(forge({ cost: cost }))).rejects.toMatchObject(damaged);
    for (const changed of [
      { kind: 'key-file' },
      { kind: 'other' },
      { wrapId: '00000000-0000-4000-8000-000000000000' },
      { sealed: `${fields.sealed}00` },
      { salt: '' },
      { cost: undefined },
      { createdAt: 'yesterday' },
      { label: 'a\nb' },
    ])
      await expect(openWith(forge(changed))).rejects.toMatchObject(damaged);
    await expect(openWith(Buffer.alloc(5000, original))).rejects.toMatchObject(damaged);
    await expect(openWith(original.subarray(0, 90))).rejects.toMatchObject(damaged);
    // Of another store that the same passphrase opens.
    const other = memoryBackend();
    {
      await using _ = await createStore(other, { ...options, encryption: { secrets: [passphrase] } });
    }
    backend.objects.delete(name);
    const [otherName = ''] = namesOf(other, '.key');
    backend.objects.set(otherName, object(other, otherName));
    const opened = openStore(backend, { ...options, unlock: [passphrase] });
    await expect(opened).rejects.toMatchObject(wrong);
  });

  test('cannot keep it from opening with a heap of keys for long', async () => {
    const backend = await encryptedStore();
    const [name = ''] = namesOf(backend, '.key');
    for (let number = 0; number < 70; number++)
      backend.objects.set(
        `keys/00000000-0000-4000-8000-${String(number).padStart(12, '0')}.key`,
        object(backend, name),
      );
    await expect(openStore(backend, opening)).rejects.toMatchObject({
      code: 'StoreDamaged',
      message: expect.stringContaining('71 keys'),
    });
  });
});
