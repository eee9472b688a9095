import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { run } from '../../src/platform/index.ts';

/** A process that has the lab's directory in its command line or its working directory inside it. */
export interface LabProcess {
  pid: number;
  /** Base name of the program. */
  program: string;
  commandLine: string;
}

/** Processes that belong to the lab in `directory`, whoever started them, except this one and its reaper. */
export async function findLabProcesses(
  directory: string,
  exceptPids: readonly number[],
): Promise<LabProcess[]> {
  const found: LabProcess[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || exceptPids.includes(pid)) continue;
    try {
      const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
      const here = await readlink(`/proc/${pid}/cwd`);
      const isOurs =
        commandLine.includes(`${directory}/`) || here === directory || here.startsWith(`${directory}/`);
      if (isOurs) found.push({ pid, program: basename(commandLine.split(' ')[0] ?? ''), commandLine });
    } catch {
      // It ended while we looked, or it is a kernel thread or another user's process, which cannot be the lab's.
    }
  }
  return found;
}

/** Loop devices over files in `directory`. */
export async function findLoopDevices(directory: string): Promise<string[]> {
  const { stdout } = await run(['losetup', '--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'], {
    timeoutMs: 10_000,
  });
  return stdout.split('\n').flatMap((line) => {
    const [device, ...file] = line.split(' ');
    return device !== undefined && file.join(' ').startsWith(`${directory}/`) ? [device] : [];
  });
}
