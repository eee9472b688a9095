/**
 * What a large disk costs for being large: the same data on a disk that it fills, and spread over a disk of 1 TiB. First
 * backup, a second one that knows the changes, and a restore, taking turns, syncs on the clock.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchReport } from './main.ts';
import { settle } from './timed-run.ts';
import { holdfast, type Place, type Result, type Version } from './tools.ts';
import { UsageError } from './usage-error.ts';

const pieceBytes = 2 ** 20;
const hugeBytes = 2 ** 40;
/** Every this many pieces has changed the second time: 3 %. */
const changedEvery = 32;

interface Options {
  pieces: number;
  rounds: number;
  directory: string;
}

type Step = 'first' | 'churned' | 'restore';
const steps: readonly Step[] = ['first', 'churned', 'restore'];

export const sparseBench = {
  usage: '[--json] [--data 1GiB] [--rounds 3] [--dir DIR]',
  async run(args: readonly string[]): Promise<BenchReport> {
    const options = readOptions(args);
    const directory = mkdtempSync(join(options.directory, 'holdfast-bench-'));
    try {
      return await measure(options, directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

function readOptions(args: readonly string[]): Options {
  const { data, rounds, dir } = parse(args);
  const size = /^(\d+)(MiB|GiB)$/.exec(data);
  const pieces = Number(size?.[1]) * (size?.[2] === 'GiB' ? 1024 : 1);
  if (size === null || pieces < changedEvery || pieces > 16 * 1024)
    throw new UsageError(`--data is from ${changedEvery}MiB to 16GiB, not ${data}`);
  if (!/^([1-9]|1[0-9]|20)$/.test(rounds)) throw new UsageError('--rounds is from 1 to 20');
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize < pieces * pieceBytes * 8)
    throw new UsageError(`${dir} has less than eight times --data free; see --dir`);
  return { pieces, rounds: Number(rounds), directory: resolve(dir) };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      data: { type: 'string', default: '1GiB' },
      rounds: { type: 'string', default: '3' },
      dir: { type: 'string', default: '/var/tmp' },
    } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A disk on which piece `number` of the data begins at `number * apart`. */
interface Disk {
  name: string;
  sizeBytes: number;
  apart: number;
}

async function measure(
  { pieces, rounds, directory: root }: Options,
  directory: string,
): Promise<BenchReport> {
  const disks: Disk[] = [
    { name: 'filled', sizeBytes: pieces * pieceBytes, apart: pieceBytes },
    { name: '1 TiB', sizeBytes: hugeBytes, apart: Math.floor(hugeBytes / pieces / pieceBytes) * pieceBytes },
  ];
  console.error(`making two disks with the same ${pieces} MiB of data, under ${root}`);
  makeImages(disks, pieces, directory);
  const results = new Map<string, Result[]>();
  for (let round = 0; round < rounds; round++) {
    for (const disk of round % 2 === 0 ? disks : disks.toReversed()) {
      const place = placeOf(disk, directory, join(directory, 'round'));
      mkdirSync(place.directory);
      const tool = holdfast(place, { known: true, env: {} });
      for (const step of steps) {
        await settle(directory, []);
        const result =
          step === 'restore' ? await restored(tool.restore, disk, pieces, place) : await tool.backUp(step);
        const key = `${disk.name}: ${step}`;
        results.set(key, [...(results.get(key) ?? []), result]);
      }
      rmSync(place.directory, { recursive: true, force: true });
    }
  }
  return report(disks, results);
}

function imageOf(disk: Disk, directory: string, version: Version): string {
  return join(directory, `${disk.apart}-${version}.raw`);
}

function placeOf(disk: Disk, directory: string, own: string): Place {
  return {
    directory: own,
    image: (version) => imageOf(disk, directory, version),
    changes: () => join(directory, `${disk.apart}-changes.json`),
  };
}

/** The data in pieces, half of it noise and half of it text that shrinks to a fifth or so. */
function makeImages(disks: readonly Disk[], pieces: number, directory: string): void {
  for (const disk of disks)
    writeFileSync(
      join(directory, `${disk.apart}-changes.json`),
      JSON.stringify(
        Array.from({ length: Math.floor(pieces / changedEvery) }, (_, number) => ({
          offset: number * changedEvery * disk.apart,
          length: pieceBytes,
        })),
      ),
    );
  const files = (['first', 'churned'] as const).map((version) => ({
    version,
    files: disks.map((disk) => ({ disk, file: openSync(imageOf(disk, directory, version), 'w') })),
  }));
  for (const { files: images } of files)
    for (const { disk, file } of images) ftruncateSync(file, disk.sizeBytes);
  for (let number = 0; number < pieces; number++) {
    let content = pieceOf(number);
    for (const { version, files: images } of files) {
      if (version === 'churned' && number % changedEvery === 0) content = pieceOf(number + pieces);
      for (const { disk, file } of images) writeSync(file, content, 0, pieceBytes, number * disk.apart);
    }
  }
  for (const { files: images } of files) for (const { file } of images) closeSync(file);
}

function pieceOf(number: number): Buffer {
  if (number % 2 === 0) return randomBytes(pieceBytes);
  let text = '';
  const noise = randomBytes(32 * 1024).toString('hex');
  for (let line = 0; text.length < pieceBytes; line++)
    text += `${number} ${line}: accepted a connection from ${noise.slice(line * 4, line * 4 + 8)} on port ${line % 977}\n`;
  return Buffer.from(text).subarray(0, pieceBytes);
}

/** Restores, and makes sure that what was restored is the image, as sparse as it was. */
async function restored(
  restore: ReturnType<typeof holdfast>['restore'],
  disk: Disk,
  pieces: number,
  place: Place,
): Promise<Result> {
  if (restore === undefined) throw new Error('the store restores');
  const { restored: path, ...result } = await restore();
  const { size, blocks } = statSync(path);
  if (size !== disk.sizeBytes || blocks * 512 > pieces * pieceBytes * 1.1)
    throw new Error(`${disk.name}: ${size} bytes were restored, in ${blocks * 512} on the medium`);
  const [image, copy] = [openSync(place.image('first'), 'r'), openSync(path, 'r')];
  const [expected, found] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
  for (let number = 0; number < pieces; number++) {
    for (const [file, into] of [
      [image, expected],
      [copy, found],
    ] as const)
      readSync(file, into, 0, pieceBytes, number * disk.apart);
    if (!expected.equals(found)) throw new Error(`${disk.name}: piece ${number} was not restored as it was`);
  }
  closeSync(image);
  closeSync(copy);
  return result;
}

function report(disks: readonly Disk[], results: ReadonlyMap<string, readonly Result[]>): BenchReport {
  const of = (disk: Disk, step: Step, value: (result: Result) => number) =>
    median((results.get(`${disk.name}: ${step}`) ?? []).map(value));
  const medians: Record<string, unknown> = {};
  const ratios: Record<string, number> = {};
  const [small, huge] = disks;
  if (small === undefined || huge === undefined) throw new Error('there are two disks');
  console.log(['', 's', 'CPU s', 'peak MiB', 'added MiB'].map((cell) => cell.padStart(16)).join(''));
  for (const step of steps) {
    for (const disk of disks) {
      const seconds = of(disk, step, (result) => result.seconds);
      const cpuSeconds = of(disk, step, (result) => result.cpuSeconds);
      const peakMib = of(disk, step, (result) => result.peakMib);
      const addedBytes = of(disk, step, (result) => result.addedBytes);
      medians[`${disk.name}: ${step}`] = { seconds, cpuSeconds, peakMib, addedBytes };
      const cells = [
        seconds.toFixed(2),
        cpuSeconds.toFixed(2),
        peakMib.toFixed(0),
        (addedBytes / pieceBytes).toFixed(1),
      ];
      console.log([`${disk.name}, ${step}`, ...cells].map((cell) => cell.padStart(16)).join(''));
    }
    const ratio = of(huge, step, ({ seconds }) => seconds) / of(small, step, ({ seconds }) => seconds);
    ratios[`${step}_1_tib_vs_filled`] = Number(ratio.toFixed(4));
    console.log(`${step}: 1 TiB takes ${ratio.toFixed(2)} of the time`);
  }
  return { medians, ratios };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
