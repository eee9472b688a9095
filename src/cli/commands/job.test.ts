import { describe, expect, test } from 'vitest';
import { done, job, snapshotRuns } from '../testing/samples.ts';
import { lines, world } from '../testing/scripted-service.ts';

describe('jobs', () => {
  test('the jobs of a vault are filtered by the service', async () => {
    const { run, received } = await world({ 'GET VAULT/backupJobs': { value: [done] } });
    const { out } = await run('job list --status Completed --operation Backup --since 24h', {
      env: { HOLDFAST_VAULT: 'v1' },
    });
    expect(received.at(-1)?.query.get('$filter')).toBe(
      "status eq 'Completed' and operation eq 'Backup' and startTime eq '2026-11-20 05:44:00 AM'",
    );
    expect(out).toBe(
      lines(
        'JOB  OPERATION  VM     STATUS     STARTED                           DURATION',
        'j1   Backup     web-1  Completed  2026-11-21 05:40 UTC (4 min ago)      42 s',
      ),
    );
  });

  test('cancelling shows what the job does now', async () => {
    const { run } = await world({
      'POST VAULT/backupJobs/j1/cancel': () => ({ status: 202 }),
      'GET VAULT/backupJobs/j1': job('Cancelling', [snapshotRuns]),
    });
    expect((await run('job cancel j1 --vault v1')).out).toBe(
      lines('Backup of web-1, job j1: cancelling', '  Take Snapshot  in progress'),
    );
  });

  test('all of them are exported, as a table for spreadsheets or as they came', async () => {
    const { run, received } = await world({ 'GET VAULT/backupJobs': { value: [done] } });
    const csv = await run('job export --vault v1 --status Completed');
    expect(received.at(-1)?.query.get('$filter')).toBe("status eq 'Completed'");
    const [header, first, end] = csv.out.split('\r\n');
    expect(header).toMatch(/^Workload name,Operation,Status,/);
    expect(first).toMatch(/^web-1,Backup,Completed,.*,j1$/);
    expect(end).toBe('');
    expect(JSON.parse((await run('job export --vault v1 -o json')).out)).toEqual([done]);
    expect(JSON.parse((await run('job export --vault v1 -o jsonl')).out)).toEqual(done);
  });
});
