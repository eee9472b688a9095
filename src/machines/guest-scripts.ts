import type { ErrorCode } from '../errors/index.ts';
import type { GuestProblem } from './guest-agent.ts';

/**
 * What an administrator has running before and after a freeze, as the configuration of Azure's script framework for
 * Linux names it. The freeze hook in the guest (`freeze-hook/`) reads that file and runs the scripts; here it is read
 * only to know how long to wait, and the hook's report to know what came of them.
 */
export const scriptConfigPath = '/etc/azure/VMSnapshotScriptPluginConfig.json';
export const reportPath = '/run/holdfast/freeze-report';

/** Longer than the hook waits for a script that does not end when it is told to. */
const graceSeconds = 5;

/** Nobody waits longer for all tries of a script. */
const mostSeconds = 1800;

/** How long the scripts may take, retries included, in seconds. */
export interface ScriptTimes {
  pre: number;
  post: number;
}

/**
 * Bounds as the hook has them: 1 to 1800 seconds for each of 1 to 11 tries. A file that can't be understood has no
 * scripts run.
 */
export function readScriptTimes(text: string): ScriptTimes {
  let config: Record<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(text);
    config = Object.fromEntries(
      Object.entries(parsed ?? {}).map(([key, value]) => [key.toLowerCase(), value]),
    );
  } catch {
    return { pre: 0, post: 0 };
  }
  const number = (key: string, otherwise: number, least: number, most: number) => {
    const text = String(config[key] ?? '');
    const value = /^\d{1,5}$/.test(text) ? Number(text) : otherwise;
    return Math.min(Math.max(value, least), most);
  };
  const seconds = number('timeoutinseconds', 30, 1, 1800) + graceSeconds;
  const of = (phase: 'pre' | 'post') =>
    config[`${phase}scriptlocation`]
      ? Math.min(seconds * (1 + number(`${phase}scriptnoofretries`, 0, 0, 10)), mostSeconds)
      : 0;
  return { pre: of('pre'), post: of('post') };
}

/** What the hook says of its last run. */
export interface FreezeReport {
  /** Differs from run to run. */
  run: string;
  /** Why no script was run, or `configured`. */
  scripts: string;
  pre: string | undefined;
  post: string | undefined;
  /** The hook has kept the agent from freezing, as the configuration wants it. */
  refused: boolean;
}

export function parseReport(text: string): FreezeReport {
  const lines = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
  return {
    run: lines.get('run') ?? '',
    scripts: lines.get('scripts') ?? 'none',
    pre: lines.get('pre'),
    post: lines.get('post'),
    refused: lines.get('freeze') === 'refused',
  };
}

/** Whether the scripts of this run have come to their end. */
export function isSettled({ scripts, pre, post, refused }: FreezeReport): boolean {
  return (
    scripts !== 'configured' || refused || (pre !== 'running' && post !== undefined && post !== 'running')
  );
}

/** The first thing that went wrong; undefined when nothing did. */
export function problemOf(report: FreezeReport): GuestProblem | undefined {
  if (report.scripts === 'invalid')
    return { code: 'IncorrectJSONConfigFile', message: `${scriptConfigPath} in the guest can't be read.` };
  if (report.scripts === 'permission')
    return {
      code: 'InsufficientPermissionforPre-Script',
      message: `${scriptConfigPath} in the guest is not root's alone (mode 600).`,
    };
  return problemOfScript('Pre', report.pre) ?? problemOfScript('Post', report.post);
}

function problemOfScript(phase: 'Pre' | 'Post', outcome: string | undefined): GuestProblem | undefined {
  if (outcome === undefined || outcome === 'ok' || outcome === 'none') return undefined;
  const name = `The ${phase.toLowerCase()}-script`;
  const known: Record<string, [ErrorCode, string]> = {
    'not-found': [`${phase}-ScriptNotFound`, `${name} is not where the configuration says.`],
    permission: [
      `InsufficientPermissionfor${phase}-Script`,
      `${name} was not run: it is not root's alone (mode 700).`,
    ],
    timeout: [`${phase}-ScriptTimeout`, `${name} did not end in time.`],
    running: [`${phase}-ScriptTimeout`, `${name} did not end in time.`],
  };
  const [code, message] = known[outcome] ?? [
    `${phase}-ScriptExecutionFailed` as const,
    `${name} ended with status ${outcome.replace(/^failed /, '')}.`,
  ];
  return { code, message };
}

/** Whether both scripts ran and succeeded: then the applications' files are in order, too. */
export function areApplicationsReady({ scripts, pre, post }: FreezeReport): boolean {
  const good = (outcome: string | undefined) => outcome === 'ok' || outcome === 'none';
  return scripts === 'configured' && good(pre) && good(post) && (pre === 'ok' || post === 'ok');
}
