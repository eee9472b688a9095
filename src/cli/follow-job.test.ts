import { describe, expect, test } from 'vitest';
import type { Received } from '../../tests/support/https-server.ts';
import { OutputClosed } from './io.ts';
import { done, job, running } from './testing/samples.ts';
import { accepted, lines, type Routes, world, writeLocal } from './testing/scripted-service.ts';

describe('jobs that are followed', () => {
  const backup = {
    'POST ITEM/backup': () => accepted,
    'GET VAULT/backupJobs/j1': (_: Received, n: number) => ({ body: n < 3 ? running : done }),
  };

  test('a backup is followed to its end with plain lines', async () => {
    const { run, received } = await world(backup);
    expect(await run('backup now --vault v1 --vm web-1 --retain-until 2026-12-31')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Backup of web-1, job j1',
        'Take Snapshot: in progress',
        'Take Snapshot: completed, 2 s',
        'Backup of web-1: completed in 42 s',
      ),
    });
    expect(received.find(({ method }) => method === 'POST')?.body).toEqual({
      properties: {
        objectType: 'IaasVMBackupRequest',
        recoveryPointExpiryTimeInUTC: '2026-12-31T23:59:59.000Z',
      },
    });
  });

  test('with --no-wait the job is named and left alone', async () => {
    const { run } = await world(backup);
    expect(await run('backup now --vault v1 --vm web-1 --no-wait')).toEqual({
      code: 0,
      err: '',
      out: lines('Backup of web-1 started, job j1', 'To follow it: holdfast job show j1 --watch --vault v1'),
    });
    expect(JSON.parse((await run('backup now --vault v1 --vm web-1 --no-wait -o json')).out)).toEqual(
      running,
    );
  });

  test('with --output json only the finished job is printed; with jsonl the job at every change', async () => {
    const { run } = await world(backup);
    expect(JSON.parse((await run('backup now --vault v1 --vm web-1 -o json')).out)).toEqual(done);
    const again = await world(backup);
    const { out } = await again.run('job show j1 --watch --vault v1 -o jsonl');
    expect(out).toBe(lines(JSON.stringify(running), JSON.stringify(done)));
  });

  test('on a terminal the picture is drawn over', async () => {
    const { run } = await world(backup);
    let out = '';
    const stdout = { isTTY: true, columns: 80, write: (text: string) => (out += text) };
    const env = { NO_COLOR: '1', LANG: 'C.UTF-8' };
    expect((await run('job show j1 --watch --vault v1', { stdout, env })).code).toBe(0);
    expect(out).toBe(
      lines(
        'Backup of web-1, job j1: in progress',
        '  Take Snapshot  in progress',
        '\u001b[2A\u001b[JBackup of web-1, job j1: in progress',
        '  Take Snapshot  in progress',
        '\u001b[2A\u001b[JBackup of web-1, job j1: completed',
        '  Take Snapshot  completed    2 s',
        'Backup of web-1: completed in 42 s',
      ),
    );
  });

  test.each([
    ['CompletedWithWarnings', 3],
    ['Failed', 4],
    ['Cancelled', 4],
  ] as const)(
    'a job that ends as %s gives exit code %i, with code, sentence and what to do',
    async (status, code) => {
      const errorDetails = [
        {
          errorCode: 1,
          errorTitle: 'StoreFull',
          errorString: 'The store is full.',
          recommendations: ['Make room.'],
        },
      ];
      const { run } = await world({ 'GET VAULT/backupJobs/j1': job(status, [], { errorDetails }) });
      const result = await run('job wait j1 --vault v1');
      expect(result.code).toBe(code);
      expect(result.out).toContain(lines('Error StoreFull: The store is full.', 'What to do: Make room.'));
    },
  );

  test('waiting no longer than told leaves the job running', async () => {
    const { run } = await world({ 'GET VAULT/backupJobs/j1': running });
    let now = 0;
    const { code, err } = await run('job wait j1 --vault v1 --timeout 5', { now: () => (now += 1000) });
    expect(code).toBe(1);
    expect(err).toBe(
      lines(
        'Error WaitTimedOut: Job j1 did not end within 5 s.',
        'What to do: It goes on; to get back to it: holdfast job show j1 --watch --vault v1',
      ),
    );
  });

  test('interrupting leaves the job running and says how to get back to it', async () => {
    const stop = new AbortController();
    const { run } = await world({
      'GET VAULT/backupJobs/j1': (_: Received, n: number) => {
        if (n === 2) stop.abort(new Error('Interrupted.'));
        return { body: running };
      },
    });
    expect(await run('job show j1 --watch --vault v1', { signal: stop.signal })).toEqual({
      code: 130,
      out: lines('Backup of web-1, job j1', 'Take Snapshot: in progress'),
      err: lines(
        'Interrupted. The job goes on; to get back to it:',
        '  holdfast job show j1 --watch --vault v1',
      ),
    });
  });

  test('a reader that has gone away ends the following without a word', async () => {
    const stop = new AbortController();
    const { run } = await world({
      'GET VAULT/backupJobs/j1': () => {
        stop.abort(new OutputClosed());
        return { body: running };
      },
    });
    const { code, err } = await run('job show j1 --watch --vault v1', { signal: stop.signal });
    expect([code, err]).toEqual([130, '']);
  });

  test('a service that restarts, with another token, is found again', async () => {
    let token = 'local-token';
    const { run, home, server } = await world({
      'GET VAULT/backupJobs/j1': async (received: Received, n: number) => {
        if (n === 2) {
          token = 'second-token';
          await writeLocal(home, server, token);
        }
        if (received.headers.authorization !== `Bearer ${token}`)
          return { status: 401, body: { error: { code: 'Unauthorized', message: 'Sign in again.' } } };
        return { body: n < 3 ? running : done };
      },
    } as Routes);
    expect(await run('job show j1 --watch --vault v1')).toEqual({
      code: 0,
      err: '',
      out: lines(
        'Backup of web-1, job j1',
        'Take Snapshot: in progress',
        'The service does not answer; trying again.',
        'The service is back.',
        'Take Snapshot: completed, 2 s',
        'Backup of web-1: completed in 42 s',
      ),
    });
  });
});
