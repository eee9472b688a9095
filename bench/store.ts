/**
 * The store beside restic, BorgBackup, `qemu-img convert` and `zstd`: a first backup, a second one after some churn, one
 * after scattered small writes, a restore. All on the same generated disk, warm, taking turns, syncs on the clock.
 */
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { run } from '../src/platform/index.ts';
import { type Extent, ImageMaker, type ImageOptions, profiles } from './disk-image.ts';
import type { BenchReport } from './main.ts';
import { settle } from './timed-run.ts';
import {
  borg,
  encryptedHoldfast,
  holdfast,
  type Place,
  qemuImg,
  type Result,
  restic,
  type Tool,
  uncheckedHoldfast,
  type Version,
  versions,
  zstd,
} from './tools.ts';
import { UsageError } from './usage-error.ts';

const scatteredWrites = 8192;
const pieceBytes = 64 * 1024;
const gib = 2 ** 30;
const timeoutMs = 30 * 60_000;

interface Options extends Omit<ImageOptions, 'packages'> {
  rounds: number;
  directory: string;
  peers: readonly string[];
  env: Record<string, string>;
}

type Step = Version | 'restore';
const steps: readonly Step[] = [...versions, 'restore'];
const makers = { borg, restic, 'qemu-img': qemuImg, zstd } as const;

/** Results of one round, by tool and step. */
type Round = Map<string, Map<Step, Result>>;

export const storeBench = {
  usage: `[--json] [--size 8GiB] [--content ${Object.keys(profiles).join('|')}] [--seed 0] [--rounds 3] [--dir DIR] [--peers ${Object.keys(makers).join(',')}] [--chunk-kib N] [--level N]`,
  async run(args: readonly string[]): Promise<BenchReport> {
    const options = readOptions(args);
    const directory = mkdtempSync(join(options.directory, 'holdfast-bench-'));
    const clean = () => rmSync(directory, { recursive: true, force: true });
    const stop = (signal: NodeJS.Signals) => {
      clean();
      process.exit(signal === 'SIGINT' ? 130 : 143);
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      return await measure(options, directory);
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      clean();
    }
  },
};

function readOptions(args: readonly string[]): Options {
  const { values } = parse(args);
  const size = /^(\d+(?:\.\d+)?)(MiB|GiB)$/.exec(values.size);
  const sizeBytes = Math.floor(Number(size?.[1]) * (size?.[2] === 'GiB' ? 1024 : 1)) * 2 ** 20;
  if (size === null || sizeBytes < 256 * 2 ** 20 || sizeBytes > 64 * gib)
    throw new UsageError(`--size is from 256MiB to 64GiB, not ${values.size}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20)
    throw new UsageError('--rounds is from 1 to 20');
  const peers = values.peers.split(',').filter((name) => name !== '');
  const stranger = peers.find((name) => !Object.hasOwn(makers, name));
  if (stranger !== undefined) throw new UsageError(`no peer is called ${stranger}`);
  const { content } = values;
  if (!isProfile(content)) throw new UsageError(`--content is one of ${Object.keys(profiles).join(', ')}`);
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed > 1000) throw new UsageError('--seed is from 0 to 1000');
  const { bavail, bsize } = statfsSync(values.dir);
  if (bavail * bsize < sizeBytes * 5)
    throw new UsageError(`${values.dir} has less than five times --size free; see --dir`);
  const env: Record<string, string> = {};
  if (values['chunk-kib'] !== undefined) env.STORE_CHUNK_KIB = values['chunk-kib'];
  if (values.level !== undefined) env.STORE_LEVEL = values.level;
  return { sizeBytes, profile: content, seed, rounds, directory: resolve(values.dir), peers, env };
}

function isProfile(name: string): name is keyof typeof profiles {
  return Object.hasOwn(profiles, name);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        size: { type: 'string', default: '8GiB' },
        content: { type: 'string', default: 'mixed' },
        seed: { type: 'string', default: '0' },
        rounds: { type: 'string', default: '3' },
        dir: { type: 'string', default: '/var/tmp' },
        peers: { type: 'string', default: Object.keys(makers).join(',') },
        'chunk-kib': { type: 'string' },
        level: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function measure(options: Options, directory: string): Promise<BenchReport> {
  say(`making the disk: ${(options.sizeBytes / gib).toFixed(2)} GiB in three versions`);
  const images = await makeImages(options, directory);
  const rounds: Round[] = [];
  for (let number = 0; number < options.rounds; number++) {
    const place = join(directory, `round-${number}`);
    rounds.push(await measureRound(options, place, images, number));
    rmSync(place, { recursive: true, force: true });
  }
  return report(rounds, images.piecesBytes);
}

interface Images {
  image(version: Version): string;
  changes(version: Version): string;
  /** What the pieces of 64 KiB that the scattered writes touch take, each compressed by itself as `zstd -1` does. */
  piecesBytes: number;
}

async function makeImages(options: Options, directory: string): Promise<Images> {
  const image = (version: Version) => join(directory, `${version}.raw`);
  const changes = (version: Version) => join(directory, `${version}.changes.json`);
  const maker = new ImageMaker({ ...options, packages: join(import.meta.dirname, '../node_modules') });
  maker.writeFirst(image('first'));
  const copy = async (version: Version) => {
    await run(['cp', '--sparse=always', image('first'), image(version)], { timeoutMs });
    return image(version);
  };
  const write = (version: Version, extents: readonly Extent[]) => {
    const bytes = extents.reduce((sum, { length }) => sum + length, 0);
    say(`${version}: ${(bytes / 2 ** 20).toFixed(0)} MiB differ, in ${extents.length} places`);
    writeFileSync(changes(version), JSON.stringify(extents));
  };
  say(`${(maker.usedBytes / gib).toFixed(2)} GiB of it are used`);
  write('churned', maker.writeChurn(await copy('churned')));
  const scattered = maker.writeScattered(await copy('scattered'), scatteredWrites);
  write('scattered', scattered);
  return { image, changes, piecesBytes: piecesBytesOf(image('scattered'), scattered) };
}

function piecesBytesOf(image: string, extents: readonly Extent[]): number {
  const pieces = new Set<number>();
  for (const { offset, length } of extents)
    for (let piece = Math.floor(offset / pieceBytes); piece * pieceBytes < offset + length; piece++)
      pieces.add(piece);
  const file = openSync(image, 'r');
  try {
    const content = Buffer.alloc(pieceBytes);
    let bytes = 0;
    for (const piece of pieces) {
      const length = readSync(file, content, 0, pieceBytes, piece * pieceBytes);
      const params = { [constants.ZSTD_c_compressionLevel]: 1 };
      bytes += Math.min(length, zstdCompressSync(content.subarray(0, length), { params }).length);
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Every tool in turn, step by step, so that what else the machine does meets all of them; who begins changes. */
async function measureRound(
  { peers, env }: Options,
  directory: string,
  images: Images,
  number: number,
): Promise<Round> {
  const placeOf = (name: string): Place => {
    const own = join(directory, name);
    mkdirSync(own, { recursive: true });
    return { directory: own, image: images.image, changes: images.changes };
  };
  const tools: Tool[] = [
    holdfast(placeOf('holdfast'), { known: false, env }),
    uncheckedHoldfast(placeOf('holdfast-unchecked'), env),
    encryptedHoldfast(placeOf('holdfast-encrypted'), { readBack: true, env }),
    encryptedHoldfast(placeOf('holdfast-encrypted-unchecked'), { readBack: false, env }),
    ...Object.entries(makers).flatMap(([name, make]) => (peers.includes(name) ? [make(placeOf(name))] : [])),
    holdfast(placeOf('holdfast-known'), { known: true, env }),
  ];
  const order = number % 2 === 0 ? tools : tools.toReversed();
  const round: Round = new Map(tools.map(({ name }) => [name, new Map()]));
  for (const tool of order) await tool.prepare?.();
  for (const step of steps) {
    for (const tool of order) {
      const result = await takeStep(tool, step, directory, images);
      if (result === undefined) continue;
      round.get(tool.name)?.set(step, result);
      say(`round ${number + 1}, ${step}, ${tool.name}: ${result.seconds.toFixed(1)} s`);
    }
  }
  return round;
}

async function takeStep(
  tool: Tool,
  step: Step,
  directory: string,
  images: Images,
): Promise<Result | undefined> {
  if (step !== 'restore') {
    if (!tool.versions.includes(step)) return undefined;
    await settle(directory, [images.image(step)]);
    return await tool.backUp(step);
  }
  if (tool.restore === undefined) return undefined;
  await settle(directory, []);
  const { restored, ...result } = await tool.restore();
  await run(['cmp', restored, images.image('first')], { timeoutMs });
  rmSync(restored);
  return result;
}

function report(rounds: readonly Round[], piecesBytes: number): BenchReport {
  const names = [...(rounds[0]?.keys() ?? [])];
  const medians: Record<string, unknown> = {};
  console.log(row(['', 's', 'CPU s', 'of it system', 'peak MiB', 'added MiB']));
  for (const step of steps) {
    console.log(styleText('bold', step));
    for (const name of names) {
      const results = rounds.flatMap((round) => round.get(name)?.get(step) ?? []);
      if (results.length === 0) continue;
      const of = (value: (result: Result) => number) => median(results.map(value));
      const seconds = of((result) => result.seconds);
      const cpuSeconds = of((result) => result.cpuSeconds);
      const systemSeconds = of((result) => result.systemSeconds);
      const peakMib = of((result) => result.peakMib);
      const addedBytes = of((result) => result.addedBytes);
      medians[`${name}: ${step}`] = { seconds, cpuSeconds, systemSeconds, peakMib, addedBytes };
      const times = [seconds, cpuSeconds, systemSeconds].map((value) => value.toFixed(2));
      const added = step === 'restore' ? '' : (addedBytes / 2 ** 20).toFixed(0);
      console.log(row([`  ${name}`, ...times, peakMib.toFixed(0), added]));
    }
  }
  const ratios = ratiosOf(rounds, piecesBytes);
  console.log(styleText('bold', 'our cost over theirs (median of the rounds)'));
  for (const [key, ratio] of Object.entries(ratios)) console.log(row([`  ${key}`, ratio.toFixed(2)]));
  return { medians, ratios };
}

/** Each ratio is taken within a round, where both had the same machine, and the median is of those. */
function ratiosOf(rounds: readonly Round[], piecesBytes: number): Record<string, number> {
  const ratios: Record<string, number> = {};
  const seconds = (result: Result) => result.seconds;
  const added = (result: Result) => result.addedBytes;
  const ratio = (
    key: string,
    step: Step,
    ours: string,
    theirs: string,
    value: (result: Result) => number,
  ) => {
    const each = rounds.flatMap((round) => {
      const [our, their] = [round.get(ours)?.get(step), round.get(theirs)?.get(step)];
      return our === undefined || their === undefined ? [] : [value(our) / value(their)];
    });
    if (each.length > 0) ratios[key] = Number(median(each).toFixed(4));
  };
  const [us, known] = ['Holdfast', 'Holdfast, changes known'];
  ratio('first_plain_vs_borg_zstd1', 'first', us, 'borg zstd,1', seconds);
  ratio('first_plain_unchecked_vs_borg_zstd1', 'first', 'Holdfast, no read-back', 'borg zstd,1', seconds);
  ratio('first_plain_vs_restic', 'first', us, 'restic', seconds);
  ratio('first_plain_vs_zstd_1_t2', 'first', us, 'zstd -1 -T2', seconds);
  ratio('first_plain_vs_qemu_img', 'first', us, 'qemu-img zstd', seconds);
  ratio('first_plain_cpu_vs_borg_zstd1', 'first', us, 'borg zstd,1', (result) => result.cpuSeconds);
  const sealed = 'Holdfast, encrypted';
  ratio('first_encrypted_vs_restic', 'first', sealed, 'restic', seconds);
  ratio('first_encrypted_unchecked_vs_restic', 'first', `${sealed}, no read-back`, 'restic', seconds);
  ratio('first_encrypted_vs_plain', 'first', sealed, us, seconds);
  ratio('size_encrypted_vs_plain', 'first', sealed, us, added);
  ratio('restore_encrypted_vs_restic', 'restore', sealed, 'restic', seconds);
  ratio('size_vs_borg_zstd1', 'first', us, 'borg zstd,1', added);
  ratio('second_reread_vs_borg', 'churned', us, 'borg zstd,1', seconds);
  ratio('second_known_vs_borg', 'churned', known, 'borg zstd,1', seconds);
  ratio('second_added_bytes_vs_restic', 'churned', us, 'restic', added);
  ratio('second_added_bytes_vs_borg', 'churned', us, 'borg zstd,1', added);
  ratio('scattered_added_bytes_vs_restic', 'scattered', us, 'restic', added);
  ratio('scattered_added_bytes_vs_borg', 'scattered', us, 'borg zstd,1', added);
  ratio('restore_vs_restic', 'restore', us, 'restic', seconds);
  ratio('restore_vs_borg', 'restore', us, 'borg zstd,1', seconds);
  ratio('restore_vs_qemu_img', 'restore', us, 'qemu-img zstd', seconds);
  const ours = rounds.flatMap((round) => [...(round.get(us)?.values() ?? [])]);
  ratios.peak_memory_vs_300_mib = Number((Math.max(...ours.map(({ peakMib }) => peakMib)) / 300).toFixed(4));
  const written = rounds.flatMap((round) => round.get(known)?.get('scattered')?.addedBytes ?? []);
  ratios.scattered_added_bytes_vs_64_kib_pieces = Number((median(written) / piecesBytes).toFixed(4));
  return ratios;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function row([first = '', ...rest]: readonly string[]): string {
  return first.padEnd(44) + rest.map((cell) => cell.padStart(14)).join('');
}

function say(text: string): void {
  console.error(text);
}
