import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../src/platform/index.ts';

/** What one run of a program cost; memory is the largest process's peak. */
export interface Cost {
  seconds: number;
  cpuSeconds: number;
  systemSeconds: number;
  peakMib: number;
}

/** No single step of a bench may take longer. */
const timeoutMs = 30 * 60_000;

/**
 * Runs a program and then syncs the file system it wrote to (`directory`), both on the clock: a copy that is still in
 * memory only is no backup. GNU time counts the program's children too.
 */
export async function timedRun(
  directory: string,
  command: readonly [string, ...string[]],
  env: Record<string, string> = {},
): Promise<Cost & { stdout: string }> {
  const place = mkdtempSync(join(directory, '.time-'));
  try {
    const report = join(place, 'cost');
    const script = '"$@" && sync -f "$0"';
    const timed = [
      '/usr/bin/time',
      '-f',
      '%e %U %S %M',
      '-o',
      report,
      'sh',
      '-c',
      script,
      directory,
      ...command,
    ];
    const [program = '', ...rest] = timed;
    const { stdout } = await run([program, ...rest], { timeoutMs, env });
    const [seconds = 0, user = 0, system = 0, peakKib = 0] = readFileSync(report, 'utf8')
      .trim()
      .split(' ')
      .map(Number);
    return { seconds, cpuSeconds: user + system, systemSeconds: system, peakMib: peakKib / 1024, stdout };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Brings files into the page cache, and what others wrote before out of the way. */
export async function settle(directory: string, files: readonly string[]): Promise<void> {
  await run(['sync', '-f', directory], { timeoutMs });
  for (const file of files) await run(['sh', '-c', 'cat -- "$0" >/dev/null', file], { timeoutMs });
}
