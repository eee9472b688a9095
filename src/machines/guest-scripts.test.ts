import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../tests/support/until.ts';
import { RunError, run } from '../platform/index.ts';
import { withScripts } from './consistency.ts';
import {
  areApplicationsReady,
  type FreezeReport,
  isSettled,
  parseReport,
  problemOf,
  readScriptTimes,
} from './guest-scripts.ts';

describe('the time that scripts may take', () => {
  const config = { preScriptLocation: '/a', postScriptLocation: '/b' };
  it.each<[object, { pre: number; post: number }]>([
    [config, { pre: 35, post: 35 }],
    [
      { ...config, timeoutInSeconds: 1, preScriptNoOfRetries: 2 },
      { pre: 18, post: 6 },
    ],
    [
      { ...config, postScriptLocation: '', timeoutInSeconds: '10' },
      { pre: 15, post: 0 },
    ],
    [
      { ...config, timeoutInSeconds: 99999, preScriptNoOfRetries: 99 },
      { pre: 1800, post: 1800 },
    ],
    [
      { ...config, timeoutInSeconds: 0, postScriptNoOfRetries: -1 },
      { pre: 6, post: 6 },
    ],
    [{}, { pre: 0, post: 0 }],
  ])('follows the configuration within bounds: %j', (given, expected) => {
    expect(readScriptTimes(JSON.stringify(given))).toEqual(expected);
  });

  it('is none for a file that can not be read', () => {
    for (const text of ['', 'null', '[', '"x"']) expect(readScriptTimes(text)).toEqual({ pre: 0, post: 0 });
  });
});

describe.skipIf(process.getuid?.() !== 0)('the freeze hook, which runs scripts as root only', () => {
  const hook = join(import.meta.dirname, 'freeze-hook/holdfast-freeze-hook.sh');
  let directory: string;
  const path = (name: string) => join(directory, name);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-hook-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function script(name: string, body: string, mode = 0o700): Promise<string> {
    await writeFile(path(name), `#!/bin/sh\n${body}\n`);
    await chmod(path(name), mode);
    return path(name);
  }

  async function configure(config: object | string, mode = 0o600): Promise<void> {
    const text = typeof config === 'string' ? config : JSON.stringify(config, undefined, 1);
    await writeFile(path('config'), text);
    await chmod(path('config'), mode);
  }

  /** @returns the hook's exit status */
  async function call(word: 'freeze' | 'thaw'): Promise<number> {
    try {
      const env = { HOLDFAST_SCRIPT_CONFIG: path('config'), HOLDFAST_STATE: path('state') };
      await run(['/bin/sh', hook, word], { timeoutMs: 30_000, env });
      return 0;
    } catch (error) {
      if (error instanceof RunError && error.result.code !== null) return error.result.code;
      throw error;
    }
  }

  const report = async () => parseReport(await readFile(path('state/freeze-report'), 'utf8'));

  async function backUp(): Promise<FreezeReport & { status: number }> {
    const status = await call('freeze');
    await call('thaw');
    await until('the scripts have ended', async () => isSettled(await report()));
    return { status, ...(await report()) };
  }

  it('runs both scripts with their parameters, the second after the thaw', async () => {
    await configure({
      pluginName: 'ScriptRunner',
      preScriptLocation: await script('pre', `for a; do echo "[$a]" >>${path('out')}; done`),
      postScriptLocation: await script('post', `echo post >>${path('out')}`),
      preScriptParams: ['a b', '', '"q" \\ / $(id)'],
      postScriptParams: [],
      timeoutInSeconds: 30,
      continueBackupOnFailure: true,
      fsFreezeEnabled: true,
    });
    expect(await call('freeze')).toBe(0);
    expect(await report()).toMatchObject({ scripts: 'configured', pre: 'ok', post: undefined });
    expect(await readFile(path('out'), 'utf8')).toBe('[a b]\n[]\n["q" \\ / $(id)]\n');
    const first = await report();
    await call('thaw');
    await until('the post-script has ended', async () => isSettled(await report()));
    const ended = await report();
    expect([ended.run === first.run, ended.post, areApplicationsReady(ended)]).toEqual([true, 'ok', true]);
    await call('thaw'); // the agent may be asked often
    expect((await readFile(path('out'), 'utf8')).match(/post/g)).toHaveLength(1);
    expect((await backUp()).run).not.toBe(first.run);
  });

  it.each([
    [true, true, 0, 'ok'],
    [false, true, 1, undefined],
    [true, false, 1, undefined],
  ])('goes on after a failure as configured (continue %s, freeze %s)', async (goOn, freeze, status, post) => {
    await configure({
      preScriptLocation: await script('pre', `echo x >>${path('tries')}; exit 7`),
      postScriptLocation: await script('post', 'exit 0'),
      preScriptNoOfRetries: 2,
      continueBackupOnFailure: goOn,
      fsFreezeEnabled: freeze,
    });
    const outcome = await backUp();
    expect(outcome).toMatchObject({ status, pre: 'failed 7', post, refused: status === 1 });
    expect(await readFile(path('tries'), 'utf8')).toBe('x\nx\nx\n');
    expect(problemOf(outcome)).toEqual({
      code: 'Pre-ScriptExecutionFailed',
      message: 'The pre-script ended with status 7.',
    });
    expect(areApplicationsReady(outcome)).toBe(false);
  });

  it.each([
    [undefined, 30],
    [0, 1],
    [1, 1],
    [2, 2],
    [1799, 1799],
    [1800, 1800],
    [1801, 1800],
    [99_999, 1800],
    [100_000, 30],
    ['-1', 30],
  ])('gives a script with timeoutInSeconds %s %i seconds, as its backup expects', async (given, seconds) => {
    const config = {
      // Its parent is the program that watches over its time.
      preScriptLocation: await script('pre', `tr '\\0' ' ' </proc/$PPID/cmdline >${path('watcher')}`),
      ...(given !== undefined && { timeoutInSeconds: given }),
    };
    await configure(config);
    expect(await backUp()).toMatchObject({ pre: 'ok' });
    expect(await readFile(path('watcher'), 'utf8')).toMatch(new RegExp(`^timeout -k 2 ${seconds} `));
    expect(readScriptTimes(JSON.stringify(config)).pre).toBe(Math.min(seconds + 5, 1800));
  });

  it.each([
    [undefined, 1],
    [0, 1],
    [9, 10],
    [10, 11],
    [11, 11],
  ])('tries a script with %s retries %i times', async (preScriptNoOfRetries, tries) => {
    await configure({
      preScriptLocation: await script('pre', `echo x >>${path('tries')}; exit 7`),
      preScriptNoOfRetries,
      continueBackupOnFailure: true,
    });
    expect(await backUp()).toMatchObject({ pre: 'failed 7' });
    expect((await readFile(path('tries'), 'utf8')).length).toBe(2 * tries);
    const config = { preScriptLocation: '/pre', preScriptNoOfRetries, timeoutInSeconds: 5 };
    expect(readScriptTimes(JSON.stringify(config)).pre).toBe(10 * tries);
  });

  it.each([
    [0o600, 0o700, 'ok'],
    [0o400, 0o500, 'ok'],
    [0o600, 0o710, 'permission'],
    [0o600, 0o701, 'permission'],
    [0o600, 0o600, 'permission'],
    [0o640, 0o700, undefined],
    [0o604, 0o700, undefined],
    [0o700, 0o700, undefined],
  ])('goes by the modes of configuration (%o) and script (%o)', async (config, mode, pre) => {
    const preScriptLocation = await script('pre', 'exit 0', mode);
    await configure({ preScriptLocation, continueBackupOnFailure: true }, config);
    expect((await backUp()).pre).toBe(pre);
  });

  it('runs nothing that others than root may change, that is not there, or that does not end', async () => {
    const codeOf = async () => problemOf(await backUp())?.code;
    const goOn = { continueBackupOnFailure: true, timeoutInSeconds: 1 };
    await configure({ ...goOn, preScriptLocation: await script('open', `echo x >${path('ran')}`, 0o755) });
    expect(await codeOf()).toBe('InsufficientPermissionforPre-Script');
    await configure({ ...goOn, preScriptLocation: await script('pre', `echo x >${path('ran')}`) }, 0o644);
    expect(await codeOf()).toBe('InsufficientPermissionforPre-Script');
    for (const others of ['pre', 'config']) {
      await configure({ ...goOn, preScriptLocation: await script('pre', `echo x >${path('ran')}`) });
      await chown(path(others), 1, 0);
      expect(await codeOf()).toBe('InsufficientPermissionforPre-Script');
      await chown(path(others), 0, 0);
    }
    await expect(readFile(path('ran'))).rejects.toThrow(/ENOENT/);
    await configure({ ...goOn, preScriptLocation: path('none') });
    expect(await codeOf()).toBe('Pre-ScriptNotFound');
    await configure({ ...goOn, postScriptLocation: 'relative' });
    expect(await codeOf()).toBe('Post-ScriptNotFound');
    await configure({ ...goOn, postScriptLocation: await script('slow', 'exec sleep 60') });
    expect(await codeOf()).toBe('Post-ScriptTimeout');
  });

  it.each([
    '{',
    '[]',
    '{"a": {"b": 1}}',
    '{"a": "x" "b": 1}',
    '{"a": "x\\n"}',
    '{"a": "x\n"}',
    '{"a": 1} more',
    '{"a": ["x", ["y"]]}',
    '{"a": "x"',
    '',
  ])('refuses a configuration that is no flat object: %j', async (text) => {
    await configure(text);
    const outcome = await backUp();
    expect([outcome.status, problemOf(outcome)?.code]).toEqual([0, 'IncorrectJSONConfigFile']);
  });

  it('does nothing without a configuration', async () => {
    const outcome = await backUp();
    expect([outcome.status, outcome.scripts, problemOf(outcome)]).toEqual([0, 'none', undefined]);
  });
});

it('adds what the scripts came to to the promise of a point', () => {
  const frozen = { consistency: 'file-system', consistencyReason: undefined, frozenMs: 5 } as const;
  const base = { run: 'r', scripts: 'configured', refused: false };
  expect(withScripts(frozen, { ...base, pre: 'ok', post: 'ok' })).toEqual({
    ...frozen,
    consistency: 'application',
  });
  expect(withScripts(frozen, { ...base, pre: 'none', post: 'none' })).toEqual(frozen);
  expect(withScripts(frozen, { ...base, pre: 'ok', post: 'running' })).toMatchObject({
    consistency: 'file-system',
    consistencyCode: 'Post-ScriptTimeout',
  });
  expect(withScripts(frozen, undefined)).toMatchObject({ consistencyCode: 'UserErrorFreezeHookMissing' });
  const crash = { ...frozen, consistency: 'crash' } as const;
  expect(withScripts(crash, { ...base, pre: 'ok', post: 'ok' })).toEqual(crash);
});
