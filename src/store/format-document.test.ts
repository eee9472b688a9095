import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createStore, fileSystemBackend, newKeyFile } from './index.ts';
import { backUp, bytesFrom, testClock } from './testing/model-disk.ts';

/*
 * Restores a disk with nothing but docs/store-format.md, Node's file system, zlib and crypto. Nothing of the store's
 * code may be used between the two lines: if this breaks, the format has changed, or the document lies.
 * ------------------------------------------------------------------------------------------------------------------ */
function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

interface Keys {
  id: Buffer;
  frame: Buffer;
  document: Buffer;
}

function derive(secret: Buffer, salt: string, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, 32));
}

function unseal(key: Buffer, sealed: Buffer, context: Buffer | string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12));
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
}

// biome-ignore lint/suspicious/noExplicitAny: a stranger's program has no types for our JSON
function readDocument(store: string, name: string, kind: string, keys?: Keys): any {
  const bytes = readFileSync(join(store, name));
  const first = bytes.indexOf('\n');
  const second = bytes.indexOf('\n', first + 1);
  const line = bytes.toString('utf8', 0, first);
  if (line !== `holdfast-${kind} 1${keys ? ' sealed' : ''}`) throw new Error(`not a ${kind}`);
  const body = bytes.subarray(second + 1);
  if (bytes.toString('utf8', first + 1, second) !== sha256(body)) throw new Error('the sum is wrong');
  const json = keys ? unseal(keys.document, body, `${line}\n${name}`) : body;
  return JSON.parse(json.toString('utf8'));
}

function unlock(store: string, storeId: string, keyFile: string): Keys {
  const digits = keyFile.split('\n').find((line) => /^[0-9a-f]{64}$/.test(line)) ?? '';
  const name = readdirSync(join(store, 'keys')).find((candidate) => candidate.endsWith('.key'));
  const wrap = readDocument(store, `keys/${name}`, 'key');
  if (wrap.kind !== 'key-file') throw new Error('I have a key file only');
  const wrapping = derive(Buffer.from(digits, 'hex'), wrap.salt, 'holdfast key-file wrap 1');
  const context = `holdfast-key 1\n${storeId}\n${wrap.wrapId}\n${wrap.kind}\n${wrap.salt}\n-`;
  const vaultKey = unseal(wrapping, Buffer.from(wrap.sealed, 'hex'), context);
  return {
    id: derive(vaultKey, storeId, 'holdfast chunk id 1'),
    frame: derive(vaultKey, storeId, 'holdfast frame 1'),
    document: derive(vaultKey, storeId, 'holdfast document 1'),
  };
}

function frameKeyOf(keys: Keys, entry: Buffer): Buffer {
  return derive(keys.frame, '', `holdfast frame part ${entry.readUInt16BE(0) >> 6}`);
}

/** The content of a frame, not yet checked against its id. */
function contentOf(entry: Buffer, frame: Buffer, keys: Keys | undefined): Buffer {
  const codec = entry[33] ?? 0;
  if (codec >= 2 !== (keys !== undefined)) throw new Error('sealed, or not');
  if (entry.readBigUInt64LE(56) !== (codec >= 2 ? 1n : 0n)) throw new Error('number of the key');
  const context = Buffer.concat([entry.subarray(0, 32), Buffer.from([codec]), entry.subarray(52, 56)]);
  const opened = keys ? unseal(frameKeyOf(keys, entry), frame, context) : frame;
  return codec % 2 === 1 ? zstdDecompressSync(opened) : opened;
}

function idOf(content: Buffer, keys: Keys | undefined): string {
  return keys ? createHmac('sha256', keys.id).update(content).digest('hex') : sha256(content);
}

function readChunks(store: string, keys?: Keys): Map<string, { kind: number; content: Buffer }> {
  const chunks = new Map<string, { kind: number; content: Buffer }>();
  for (const shard of readdirSync(join(store, 'packs'))) {
    if (shard === 'marker') continue;
    for (const name of readdirSync(join(store, 'packs', shard))) {
      const pack = readFileSync(join(store, 'packs', shard, name));
      if (pack.toString('latin1', 0, 8) !== 'HFPACK\r\n' || pack.readUInt16LE(8) !== 1)
        throw new Error('header');
      const footer = pack.subarray(-64);
      if (footer.toString('latin1', 56) !== 'HFPKEND\n' || footer.readUInt16LE(48) !== 1)
        throw new Error('footer');
      if (footer.readUInt32LE(52) !== crc32(footer.subarray(0, 52))) throw new Error('crc of the footer');
      const trailerAt = Number(footer.readBigUInt64LE(0));
      const trailer = pack.subarray(trailerAt, trailerAt + footer.readUInt32LE(8));
      if (trailer.length !== 64 * footer.readUInt32LE(12)) throw new Error('number of entries');
      if (footer.toString('hex', 16, 48) !== sha256(trailer)) throw new Error('sum of the trailer');
      if (name !== `${sha256(trailer)}.pack` || !name.startsWith(shard)) throw new Error('name of the pack');
      let next = 16;
      for (let at = 0; at < trailer.length; at += 64) {
        const entry = trailer.subarray(at, at + 64);
        const id = entry.toString('hex', 0, 32);
        const offset = Number(entry.readBigUInt64LE(40));
        const frame = pack.subarray(offset, offset + entry.readUInt32LE(48));
        if (offset !== next) throw new Error('a gap between frames');
        next += frame.length;
        if (crc32(frame) !== entry.readUInt32LE(36)) throw new Error('crc of a frame');
        const content = contentOf(entry, frame, keys);
        if (content.length !== entry.readUInt32LE(52) || idOf(content, keys) !== id)
          throw new Error('content');
        chunks.set(id, { kind: entry[32] ?? 0, content });
      }
      if (next !== trailerAt) throw new Error('a gap before the trailer');
    }
  }
  return chunks;
}

function restoreDisk(store: string, item: string, point: string, disk: string, keyFile?: string): Buffer {
  const { features, storeId } = readDocument(store, 'holdfast-store', 'store');
  const isEncrypted = features.read.join() === 'encryption';
  if (!isEncrypted && features.read.length > 0) throw new Error('a feature I do not know');
  const keys = isEncrypted ? unlock(store, storeId, keyFile ?? '') : undefined;
  const record = readDocument(store, `points/${item}/${point}.point`, 'point', keys);
  const { root, sizeBytes, chunkSizeBytes } = record.disks.find(
    (candidate: { name: string }) => candidate.name === disk,
  ).disk;
  const content = Buffer.alloc(sizeBytes);
  const chunks = readChunks(store, keys);
  const pieces = Math.ceil(sizeBytes / chunkSizeBytes);
  let levels = 1;
  while (256 ** levels < pieces) levels++;
  const zeros = '00'.repeat(32);
  function walk(id: string, level: number, first: number): void {
    const page = chunks.get(id);
    if (page?.kind !== 2 || page.content.length !== 8192) throw new Error('not a page');
    for (let slot = 0; slot < 256; slot++) {
      const entry = page.content.toString('hex', slot * 32, slot * 32 + 32);
      if (entry === zeros) continue;
      const piece = first + slot * 256 ** (level - 1);
      if (level > 1) {
        walk(entry, level - 1, piece);
        continue;
      }
      const chunk = chunks.get(entry);
      if (chunk?.kind !== 1 || chunk.content.length !== chunkSizeBytes) throw new Error('not a data chunk');
      chunk.content.copy(content, piece * chunkSizeBytes);
    }
  }
  if (root !== undefined) walk(root, levels, 0);
  return content;
}
/* ------------------------------------------------------------------------------------------------------------------ */

test.each([
  ['a store', undefined],
  ['an encrypted store with its key file', newKeyFile()],
])('a stranger with the format document restores every point of %s', async (_, keyFile) => {
  const parent = mkdtempSync(join(tmpdir(), 'holdfast-format-'));
  const directory = join(parent, 'store');
  try {
    const first = Buffer.concat([
      bytesFrom(1, 300_000),
      Buffer.alloc(2_000_000),
      bytesFrom(2, 5_000_000),
      bytesFrom(3, 77),
    ]);
    const second = Buffer.alloc(first.length + 1234);
    first.copy(second);
    bytesFrom(5, 10_000).copy(second, 3_000_000);
    {
      await using store = await createStore(fileSystemBackend(directory), {
        clock: testClock,
        chunkSizeBytes: 16_384,
        packTargetBytes: 500_000,
        encryption: keyFile ? { secrets: [{ kind: 'key-file', text: keyFile, label: 'test' }] } : 'none',
      });
      const { disk } = await backUp(store, 'first', first);
      const extents = [{ offset: 3_000_000, length: 10_000, zero: false }];
      await backUp(store, 'second', second, { base: disk, extents });
      await backUp(store, 'zeros', Buffer.alloc(100));
    }
    rmSync(join(directory, 'index'), { recursive: true });
    expect(restoreDisk(directory, 'vm', 'first', 'sda', keyFile).equals(first)).toBe(true);
    expect(restoreDisk(directory, 'vm', 'second', 'sda', keyFile).equals(second)).toBe(true);
    expect(restoreDisk(directory, 'vm', 'zeros', 'sda', keyFile).equals(Buffer.alloc(100))).toBe(true);
    expect(readdirSync(join(directory, 'points', 'vm')).sort()).toEqual([
      'first.point',
      'second.point',
      'zeros.point',
    ]);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
