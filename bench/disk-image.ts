import { createCipheriv } from 'node:crypto';
import { closeSync, ftruncateSync, globSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Disks to measure with, the same for the same size on every machine of one architecture: real machine code (the pinned
 * Node), real text (its packages), generated logs, pages of a database, noise for media, what deleted files leave, and
 * zeros where nothing was ever written.
 */

export interface Extent {
  offset: number;
  length: number;
}

interface Region extends Extent {
  kind: Content;
}

type Content = 'system' | 'log' | 'database' | 'media';

export const blockBytes = 4096;
const mib = 2 ** 20;

interface Profile {
  /** One group of so many is a database, full to the end. */
  databaseEvery: number;
  /** How much of the other groups is used. */
  fill: number;
  /** Of what is in the other groups, in the order in which it lies there. */
  shares: readonly (readonly [Content, number])[];
}

/** What the disk of a machine of each kind holds. `mixed` uses 57 % of the disk. */
export const profiles = {
  mixed: {
    databaseEvery: 12,
    fill: 0.53,
    shares: [
      ['system', 0.65],
      ['log', 0.14],
      ['media', 0.21],
    ],
  },
  database: {
    databaseEvery: 2,
    fill: 0.25,
    shares: [
      ['system', 0.5],
      ['log', 0.5],
    ],
  },
  media: {
    databaseEvery: 24,
    fill: 0.6,
    shares: [
      ['media', 0.75],
      ['system', 0.25],
    ],
  },
} as const satisfies Record<string, Profile>;

export interface ImageOptions {
  sizeBytes: number;
  /** A directory with text. */
  packages: string;
  profile: keyof typeof profiles;
  /** Another number lays out, fills and changes another disk of the same kind. */
  seed: number;
}

/** Reproducible numbers (xorshift32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 12345) >>> 0 || 1;
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }

  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Small ones are as frequent as large ones, as with the sizes of files. */
  size(least: number, most: number): number {
    return Math.round(least * (most / least) ** (this.next() / 2 ** 32));
  }
}

class Material {
  readonly #code: Buffer;
  readonly #text: Buffer;
  readonly #logs: Buffer;

  constructor(packages: string) {
    this.#code = beginningOf(process.execPath, 96 * mib);
    this.#text = textOf(packages, 32 * mib);
    this.#logs = logLines(32 * mib);
  }

  fill(target: Buffer, kind: Content, dice: Dice): void {
    if (kind === 'media') noise(target, dice);
    else if (kind === 'database') this.#pages(target, dice);
    else if (kind === 'log') this.#slices(target, dice, this.#logs, 16 * 1024, 256 * 1024);
    else this.#files(target, dice);
  }

  /** Many small files and some large ones, each beginning at a block. */
  #files(target: Buffer, dice: Dice): void {
    for (let at = 0; at < target.length; ) {
      const length = Math.min(dice.size(512, 512 * 1024), target.length - at);
      const source = dice.below(100) < 70 ? this.#code : this.#text;
      this.#slices(target.subarray(at, at + length), dice, source, 32 * 1024, 128 * 1024);
      at += Math.ceil(length / blockBytes) * blockBytes;
    }
  }

  /** Pieces from anywhere, each stamped, so that no long stretch comes twice. */
  #slices(target: Buffer, dice: Dice, source: Buffer, least: number, most: number): void {
    for (let at = 0; at < target.length; ) {
      const length = Math.min(dice.between(least, most), target.length - at, source.length);
      const from = dice.below(source.length - length + 1);
      source.copy(target, at, from, from + length);
      for (let stamp = at; stamp + 8 <= at + length; stamp += 8192) {
        target.writeUInt32LE(dice.next(), stamp);
        target.writeUInt32LE(dice.next(), stamp + 4);
      }
      at += length;
    }
  }

  /** Pages of a table: a header, slots, free space, rows of a key, some numbers, an id and a piece of text. */
  #pages(target: Buffer, dice: Dice): void {
    for (let at = 0; at < target.length; at += blockBytes) {
      const page = target.subarray(at, Math.min(target.length, at + blockBytes));
      page.writeUInt32BE(dice.next(), 0);
      const rows = dice.between(12, 24);
      let end = page.length;
      let key = dice.next();
      for (let row = 0; row < rows; row++) {
        const text = dice.between(40, 150);
        if (end - text - 36 < 8 + rows * 2) break;
        key = (key + dice.between(1, 9)) >>> 0;
        const from = dice.below(this.#logs.length - text);
        end -= text + 24;
        page.writeUInt32BE(key, end);
        page.writeUInt32LE(1_790_000_000 + (key & 0xffff), end + 4);
        for (let word = 2; word < 6; word++) page.writeUInt32LE(dice.next(), end + word * 4);
        this.#logs.copy(page, end + 24, from, from + text);
        page.writeUInt16BE(end, 8 + row * 2);
      }
    }
  }
}

function noise(target: Buffer, dice: Dice): void {
  const key = Buffer.alloc(16);
  for (let at = 0; at < 16; at += 4) key.writeUInt32LE(dice.next(), at);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  cipher.update(Buffer.alloc(target.length)).copy(target);
}

function beginningOf(path: string, most: number): Buffer {
  const buffer = Buffer.alloc(most);
  const file = openSync(path, 'r');
  try {
    return buffer.subarray(0, readSync(file, buffer, 0, most, 0));
  } finally {
    closeSync(file);
  }
}

function textOf(packages: string, most: number): Buffer {
  const parts: Buffer[] = [];
  let bytes = 0;
  const found = globSync('**/*.{js,ts,md}', { cwd: packages, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const name of files.sort()) {
    if (bytes >= most) break;
    const part = readFileSync(name);
    parts.push(part);
    bytes += part.length;
  }
  return Buffer.concat(parts).subarray(0, most);
}

function logLines(most: number): Buffer {
  const dice = new Dice(1);
  const daemons = ['systemd', 'sshd', 'nginx', 'postgres', 'kernel', 'cron', 'dhclient', 'postfix/smtpd'];
  const verbs = [
    'accepted connection from',
    'GET /api/v1/items/',
    'started session',
    'wrote checkpoint',
    'closed',
  ];
  const lines: string[] = [];
  let bytes = 0;
  for (let second = 1_790_000_000; bytes < most; second += dice.below(4)) {
    const time = new Date(second * 1000).toISOString();
    const daemon = daemons[dice.below(daemons.length)];
    const verb = verbs[dice.below(verbs.length)];
    const address = `10.${dice.below(4)}.${dice.below(256)}.${dice.below(256)}`;
    const line = `${time} vm${dice.below(20)} ${daemon}[${dice.between(300, 32_000)}]: ${verb} ${address} id=${dice.next().toString(16)} took ${dice.below(5000)} ms\n`;
    lines.push(line);
    bytes += line.length;
  }
  return Buffer.from(lines.join(''), 'latin1').subarray(0, most);
}

export class ImageMaker {
  readonly sizeBytes: number;
  readonly #material: Material;
  readonly #regions: Region[] = [];
  readonly #free: Extent[] = [];
  readonly #profile: Profile;
  readonly #seed: number;

  constructor({ sizeBytes, packages, profile, seed }: ImageOptions) {
    this.sizeBytes = sizeBytes;
    this.#profile = profiles[profile];
    this.#seed = seed;
    this.#material = new Material(packages);
    this.#layOut();
  }

  /** A die for each purpose, of this disk's own. */
  #dice(purpose: number): Dice {
    return new Dice(purpose + this.#seed * 8);
  }

  get usedBytes(): number {
    return this.#regions.reduce((sum, { length }) => sum + length, 0);
  }

  #layOut(): void {
    const dice = this.#dice(2);
    const { databaseEvery, fill, shares } = this.#profile;
    const groupBytes = Math.max(mib, Math.min(64 * mib, Math.floor(this.sizeBytes / 24 / mib) * mib));
    for (let start = 0, group = 0; start < this.sizeBytes; start += groupBytes, group++) {
      const end = Math.min(this.sizeBytes, start + groupBytes);
      const isDatabase = group % databaseEvery === Math.floor(databaseEvery / 2) - 1;
      if (isDatabase) {
        this.#regions.push({ kind: 'database', offset: start, length: end - start });
        continue;
      }
      let at = start;
      for (const [kind, share] of shares) {
        const wanted = Math.round(((end - start) * fill * share) / blockBytes) * blockBytes;
        // In two parts with a hole between, so that what is used is not one stretch.
        for (const length of [wanted / 2, wanted / 2].map(
          (half) => Math.floor(half / blockBytes) * blockBytes,
        )) {
          this.#regions.push({ kind, offset: at, length });
          const hole = dice.between(0, 64) * blockBytes;
          this.#free.push({ offset: at + length, length: hole });
          at += length + hole;
        }
      }
      this.#free.push({ offset: at, length: end - at });
    }
  }

  writeFirst(path: string): void {
    const file = openSync(path, 'w');
    try {
      ftruncateSync(file, this.sizeBytes);
      const buffer = Buffer.alloc(4 * mib);
      const dice = this.#dice(3);
      for (const { kind, offset, length } of this.#regions) {
        for (let at = 0; at < length; at += buffer.length) {
          const part = buffer.subarray(0, Math.min(buffer.length, length - at));
          part.fill(0);
          this.#material.fill(part, kind, dice);
          writeAll(file, part, offset + at);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /**
   * Changes a copy of the first version as some days of use do: 5 % of what is used. New files (2.2 %), files wiped
   * (0.5 %), blocks written in hot places (1.9 %) and anywhere (0.4 %). Returns what changed, ascending.
   */
  writeChurn(path: string): Extent[] {
    const dice = this.#dice(4);
    const budget = (share: number) => Math.floor((this.usedBytes * share) / blockBytes) * blockBytes;
    const changed: Extent[] = [];
    const file = openSync(path, 'r+');
    const write = (extent: Extent, kind: Content | 'zeros') => {
      const data = Buffer.alloc(extent.length);
      if (kind !== 'zeros') this.#material.fill(data, kind, dice);
      writeAll(file, data, extent.offset);
      changed.push(extent);
    };
    try {
      for (let left = budget(0.022); left > 0; ) {
        const hole = pick(this.#free, dice);
        const length = Math.min(dice.between(1, 512) * blockBytes, hole.length, left);
        if (length === 0) continue;
        write({ offset: hole.offset, length }, dice.below(100) < 70 ? 'system' : 'media');
        left -= length;
      }
      for (let left = budget(0.005); left > 0; ) {
        const extent = this.#insideRegion(dice, Math.min(left, dice.between(4, 256) * blockBytes));
        write(extent, 'zeros');
        left -= extent.length;
      }
      for (let left = budget(0.019); left > 0; ) {
        const hot = this.#insideRegion(dice, mib);
        for (let at = 0; at < hot.length && left > 0; at += blockBytes) {
          if (dice.below(4) !== 0) continue;
          write({ offset: hot.offset + at, length: blockBytes }, hot.kind);
          left -= blockBytes;
        }
      }
      for (let left = budget(0.004); left > 0; left -= blockBytes) {
        const extent = this.#insideRegion(dice, blockBytes);
        write(extent, extent.kind);
      }
    } finally {
      closeSync(file);
    }
    return merged(changed);
  }

  /** Writes `count` blocks of 4 KiB in different places of what is used. Returns what changed, ascending. */
  writeScattered(path: string, count: number): Extent[] {
    const dice = this.#dice(5);
    const places = new Set<number>();
    const file = openSync(path, 'r+');
    try {
      const data = Buffer.alloc(blockBytes);
      while (places.size < count) {
        const { offset, kind } = this.#insideRegion(dice, blockBytes);
        if (places.has(offset)) continue;
        places.add(offset);
        this.#material.fill(data.fill(0), kind, dice);
        writeAll(file, data, offset);
      }
    } finally {
      closeSync(file);
    }
    return merged([...places].map((offset) => ({ offset, length: blockBytes })));
  }

  /** A stretch of at most `length` at a block of what is used; larger regions are met more often. */
  #insideRegion(dice: Dice, length: number): Region {
    for (;;) {
      const offset = dice.below(this.sizeBytes / blockBytes) * blockBytes;
      const region = this.#regions.find((one) => one.offset <= offset && offset < one.offset + one.length);
      if (region === undefined) continue;
      const room = Math.min(length, region.offset + region.length - offset);
      return { kind: region.kind, offset, length: Math.floor(room / blockBytes) * blockBytes };
    }
  }
}

function pick<T>(items: readonly T[], dice: Dice): T {
  const item = items[dice.below(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function merged(extents: readonly Extent[]): Extent[] {
  const result: Extent[] = [];
  for (const { offset, length } of extents.toSorted((a, b) => a.offset - b.offset)) {
    const last = result.at(-1);
    if (last !== undefined && offset <= last.offset + last.length)
      last.length = Math.max(last.length, offset + length - last.offset);
    else result.push({ offset, length });
  }
  return result;
}

function writeAll(file: number, data: Buffer, position: number): void {
  for (let written = 0; written < data.length; )
    written += writeSync(file, data, written, data.length - written, position + written);
}
