/**
 * Runs a bench:  bin/bench NAME [--json] [options of the bench]
 *
 * A table for people goes to standard output; with --json the last line is one JSON object:
 * {"bench", "machine", "medians": {...}, "ratios": {...}}, where a ratio is our cost over theirs.
 */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { apiBench } from './api.ts';
import { indexBench } from './index-size.ts';
import { schedulerBench } from './scheduler.ts';
import { sparseBench } from './sparse.ts';
import { storeBench } from './store.ts';
import { UsageError } from './usage-error.ts';

export interface BenchReport {
  medians: Record<string, unknown>;
  ratios: Record<string, number>;
}

interface Bench {
  usage: string;
  run(args: readonly string[]): Promise<BenchReport>;
}

const benches: Record<string, Bench> = {
  store: storeBench,
  sparse: sparseBench,
  index: indexBench,
  scheduler: schedulerBench,
  api: apiBench,
};

function machine() {
  const os = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryMib: Math.round(totalmem() / 2 ** 20),
    os,
    kernel: release(),
    node: process.version,
  };
}

const [name = '', ...args] = process.argv.slice(2);
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  const usages = Object.entries(benches).map(([known, { usage }]) => `  bin/bench ${known} ${usage}`);
  console.error(['usage:', ...usages].join('\n'));
  process.exit(2);
}
try {
  const report = await bench.run(args.filter((arg) => arg !== '--json'));
  if (args.includes('--json')) console.log(JSON.stringify({ bench: name, machine: machine(), ...report }));
} catch (error) {
  console.error(
    error instanceof UsageError ? `${error.message}\nusage: bin/bench ${name} ${bench.usage}` : error,
  );
  process.exit(error instanceof UsageError ? 2 : 1);
}
