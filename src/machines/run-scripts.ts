import { setTimeout as delay } from 'node:timers/promises';
import { readGuestFile } from './guest-files.ts';
import {
  type FreezeReport,
  isSettled,
  parseReport,
  readScriptTimes,
  reportPath,
  type ScriptTimes,
  scriptConfigPath,
} from './guest-scripts.ts';
import type { Virsh } from './virsh.ts';

const pollMs = 500;

/** The scripts that a guest wants run around its next freeze. */
export interface PlannedScripts {
  times: ScriptTimes;
  /** The hook's run before; a report of the same run tells nothing about the next. */
  before: string | undefined;
}

/** Undefined where none are configured, or the agent does not let us look: then the hook runs what it finds. */
export async function planScripts(virsh: Virsh, uuid: string): Promise<PlannedScripts | undefined> {
  const config = await readGuestFile(virsh, uuid, scriptConfigPath);
  if (config.kind !== 'content') return undefined;
  return { times: readScriptTimes(config.text), before: (await readReport(virsh, uuid))?.run };
}

async function readReport(virsh: Virsh, uuid: string): Promise<FreezeReport | undefined> {
  const file = await readGuestFile(virsh, uuid, reportPath);
  return file.kind === 'content' ? parseReport(file.text) : undefined;
}

/**
 * What the hook says of the scripts it ran around this freeze. Waits for a post-script, which runs on after the thaw,
 * as long as the configuration lets it. Undefined: the hook did not run.
 */
export async function awaitReport(
  virsh: Virsh,
  uuid: string,
  { times, before }: PlannedScripts,
): Promise<FreezeReport | undefined> {
  const deadline = performance.now() + times.post * 1000;
  for (;;) {
    const report = await readReport(virsh, uuid);
    if (report === undefined || report.run === before) return undefined;
    if (isSettled(report) || performance.now() > deadline) return report;
    await delay(pollMs);
  }
}
