/**
 * The store's index at a size that no test machine has a disk for: memory, the time to open it from its table, look-ups,
 * insertions, and building it anew from the packs alone. Its packs are made up; reading them costs nothing, so what is measured is the index.
 */
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../src/platform/index.ts';
import type { BenchReport } from './main.ts';
import { UsageError } from './usage-error.ts';

const chunksInPack = 500;
const tableBytesPerChunk = 8;
const timeoutMs = 30 * 60_000;

interface LookUps {
  perSecond: number;
  count: number;
  trailersRead: number;
}

interface Built {
  insertsPerSecond: number;
  tableBytesPerChunk: number;
  grownRssMib: number;
  saveSeconds: number;
}

interface Opened {
  openSeconds: number;
  openCpuSeconds: number;
  emptyRssMib: number;
  openRssMib: number;
  rssMib: number;
  peakRssMib: number;
  tableBytesPerChunk: number;
  inOrder: LookUps;
  scattered: LookUps;
  misses: LookUps;
}

interface Rebuilt {
  seconds: number;
  cpuSeconds: number;
  /** Of these, what making up the packs took. */
  makingSeconds: number;
  rssMib: number;
  peakRssMib: number;
  segmentBytes: number;
}

export const indexBench = {
  usage: '[--json] [--chunks 4e6] [--dir DIR]',
  async run(args: readonly string[]): Promise<BenchReport> {
    const { chunks, parent } = readOptions(args);
    const directory = mkdtempSync(join(parent, 'holdfast-bench-'));
    try {
      const packs = Math.ceil(chunks / chunksInPack);
      const built = await inProcess<Built>('build', directory, packs);
      const opened = await inProcess<Opened>('open', directory, packs);
      const rebuilt = await inProcess<Rebuilt>('rebuild', directory, packs);
      print(packs * chunksInPack, built, opened, rebuilt);
      const peakMib = Math.max(opened.peakRssMib, built.grownRssMib, rebuilt.peakRssMib);
      return {
        medians: { chunks: packs * chunksInPack, built, opened, rebuilt },
        ratios: { peak_memory_vs_1_gib: Number((peakMib / 1024).toFixed(4)) },
      };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

function readOptions(args: readonly string[]): { chunks: number; parent: string } {
  const { values } = parse(args);
  const chunks = Number(values.chunks);
  if (!Number.isInteger(chunks) || chunks < 1000 || chunks > 1e9)
    throw new UsageError(`--chunks is from 1000 to 1e9, not ${values.chunks}`);
  const parent = resolve(values.dir);
  const { bavail, bsize } = statfsSync(parent);
  if (bavail * bsize < chunks * tableBytesPerChunk)
    throw new UsageError(`${parent} has no room for ${chunks * tableBytesPerChunk} bytes`);
  return { chunks, parent };
}

function parse(args: readonly string[]) {
  try {
    const options = {
      chunks: { type: 'string', default: '4e6' },
      dir: { type: 'string', default: process.env.TMPDIR ?? '/var/tmp' },
    } as const;
    return parseArgs({ args: [...args], options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function inProcess<T>(operation: string, directory: string, packs: number): Promise<T> {
  const script = join(import.meta.dirname, 'index-process.ts');
  const node = ['--disable-warning=ExperimentalWarning', script];
  const { stdout } = await run([process.execPath, ...node, operation, directory, String(packs)], {
    timeoutMs,
  });
  return JSON.parse(stdout) as T;
}

function print(chunks: number, built: Built, opened: Opened, rebuilt: Rebuilt): void {
  const rate = ({ perSecond, count, trailersRead }: LookUps) =>
    `${perSecond} a second of a processor; ${trailersRead} tables of contents read for ${count}`;
  const lines = [
    ['chunks', String(chunks)],
    [
      'opened from its table in',
      `${opened.openSeconds.toFixed(2)} s (${opened.openCpuSeconds.toFixed(2)} s of a processor)`,
    ],
    ['memory of the process before', `${opened.emptyRssMib} MiB`],
    [
      '  opened',
      `${opened.openRssMib} MiB (${opened.tableBytesPerChunk.toFixed(2)} bytes a chunk in the table)`,
    ],
    ['  after the look-ups', `${opened.rssMib} MiB, at most ${opened.peakRssMib} MiB`],
    ['  grown from nothing', `${built.grownRssMib} MiB`],
    ['look-ups, in the order of writing', rate(opened.inOrder)],
    ['look-ups, at random', rate(opened.scattered)],
    ['look-ups of what is not there', rate(opened.misses)],
    ['insertions', `${built.insertsPerSecond} a second of a processor`],
    ['table written in', `${built.saveSeconds.toFixed(2)} s`],
    [
      'rebuilt from the packs alone in',
      `${rebuilt.seconds.toFixed(1)} s (${rebuilt.cpuSeconds.toFixed(1)} s of a processor, of which ${rebuilt.makingSeconds.toFixed(1)} for making the packs up)`,
    ],
    [
      '  memory of the process',
      `${rebuilt.rssMib} MiB, at most ${rebuilt.peakRssMib} MiB; ${mib(rebuilt.segmentBytes)} MiB of segments, counted and not kept`,
    ],
  ];
  for (const [what = '', value = ''] of lines) console.log(`${what.padEnd(36)}${value}`);
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
