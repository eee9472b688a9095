import { describe, expect, test } from 'vitest';
import type { Job, JobTask } from '../api/client/index.ts';
import { JobDisplay } from './job-display.ts';
import type { Look } from './look.ts';
import { jobChanges, jobFrame, jobResult, percentOf } from './progress.ts';

const MiB = 1024 ** 2;
const look: Look = { color: false, unicode: true, live: false, columns: undefined, timeZone: 'UTC' };
const now = Date.parse('2026-11-21T05:00:10Z');

const waiting: JobTask = { taskId: 'Transfer data to vault', status: 'NotStarted' };
const snapshotDone: JobTask = { taskId: 'Take Snapshot', status: 'Completed', duration: 'PT3S' };

function transfer(processed: number, more: object = {}): JobTask {
  const progress = { processedBytes: processed * MiB, totalBytes: 256 * MiB, readBytes: processed * MiB };
  return {
    taskId: 'Transfer data to vault',
    status: 'InProgress',
    holdfast: { progress: { ...progress, newBytes: 0, storedBytes: 0, ...more } },
  };
}

function backup(tasksList: JobTask[], more: Partial<Job['properties']> = {}): Job {
  return {
    id: '/jobs/j1',
    name: 'j1',
    type: 'Microsoft.RecoveryServices/vaults/backupJobs',
    properties: {
      jobType: 'AzureIaaSVMJob',
      backupManagementType: 'AzureIaasVM',
      operation: 'Backup',
      status: 'InProgress',
      entityFriendlyName: 'web-1',
      startTime: '2026-11-21T05:00:00Z',
      duration: 'PT10S',
      activityId: 'a',
      isUserTriggered: true,
      extendedInfo: { tasksList, propertyBag: {} },
      ...more,
    },
  };
}

const running = backup([snapshotDone, transfer(100, { bytesPerSecond: 25.4 * MiB, remainingSeconds: 6.1 })]);

const ended = backup(
  [
    snapshotDone,
    {
      ...transfer(256, { newBytes: 40 * MiB, storedBytes: 15 * MiB }),
      status: 'Completed',
      duration: 'PT11S',
    },
  ],
  { status: 'Completed', duration: 'PT14S', endTime: '2026-11-21T05:00:14Z' },
);

describe('the picture of a job', () => {
  test('shows both phases, and for the transfer bar, share, bytes, rate and time left', () => {
    expect(jobFrame(running, look, now)).toEqual([
      'Backup of web-1, job j1: in progress',
      '  Take Snapshot           completed    3 s',
      '  Transfer data to vault  in progress  ███████░░░░░░░░░░░░░   39 %  100.0 MiB of 256.0 MiB  25.4 MiB/s  about 7 s left',
    ]);
  });

  test('shows of several disks how far each is, and of one nothing more', () => {
    const disk = (name: string, processed: number, more = {}) => ({
      name,
      processedBytes: processed * MiB,
      totalBytes: 128 * MiB,
      ...more,
    });
    const vda = disk('vda', 96, { bytesPerSecond: 32 * MiB, remainingSeconds: 1 });
    expect(jobFrame(backup([transfer(96, { disks: [vda, disk('sdaa', 0)] })]), look, now).slice(2)).toEqual([
      '    vda   ███████████████░░░░░   75 %  96.0 MiB of 128.0 MiB  32.0 MiB/s  about 1 s left',
      '    sdaa  ░░░░░░░░░░░░░░░░░░░░    0 %  0 B of 128.0 MiB',
    ]);
    expect(jobFrame(backup([transfer(96, { disks: [vda] })]), look, now)).toHaveLength(2);
  });

  test('has no bar, share or time left while the total is not known', () => {
    const task = transfer(100, { totalBytes: undefined });
    expect(jobFrame(backup([task]), look, now).at(-1)).toBe(
      '  Transfer data to vault  in progress  100.0 MiB so far',
    );
  });

  test('shows for how long a phase without figures has run, never less than nothing', () => {
    const task: JobTask = {
      taskId: 'Take Snapshot',
      status: 'InProgress',
      startTime: '2026-11-21T05:00:08Z',
    };
    expect(jobFrame(backup([task]), look, now).at(-1)).toBe('  Take Snapshot  in progress  2 s');
    expect(jobFrame(backup([task]), look, now - 60_000).at(-1)).toBe('  Take Snapshot  in progress  0 s');
  });

  test('says why a phase was skipped', () => {
    const task: JobTask = { ...waiting, status: 'Skipped', holdfast: { message: 'Another transfer runs.' } };
    expect(jobFrame(backup([task]), look, now).at(-1)).toBe(
      '  Transfer data to vault  skipped      Another transfer runs.',
    );
  });

  test.each([
    [100, '  Transfer data to vault  in progress   39 %  100.0 MiB of 256.0 MiB  about 7 s left'],
    [60, '  Transfer data to vault  in progress   39 %'],
    [20, '  Transfer data to '],
  ])('leaves out what does not fit into %i columns, the least telling first', (columns, line) => {
    const last = jobFrame(running, { ...look, columns }, now).at(-1);
    expect(last).toBe(line);
    expect(line.length).toBeLessThan(columns);
  });

  test('draws with ASCII where the locale has no more', () => {
    expect(jobFrame(running, { ...look, unicode: false }, now).at(-1)).toContain('  #######.............  ');
  });

  test('the share is rounded down and stays within 0 and 100', () => {
    const of = (processedBytes: number, totalBytes?: number) =>
      percentOf({
        processedBytes,
        ...(totalBytes === undefined ? {} : { totalBytes }),
      });
    expect([of(999, 1000), of(0, 0), of(5, 4), of(-1, 4), of(1)]).toEqual([99, 100, 100, 0, undefined]);
  });
});

describe('plain lines', () => {
  test('begin with the job and what has happened so far', () => {
    expect(jobChanges(undefined, running)).toEqual([
      'Backup of web-1, job j1',
      'Take Snapshot: completed, 3 s',
      'Transfer data to vault: in progress',
    ]);
  });

  test('come when a phase changes and at every ten percent, and not otherwise', () => {
    const steps = [
      backup([{ ...snapshotDone, status: 'InProgress' }, waiting]),
      backup([{ ...snapshotDone, status: 'InProgress' }, waiting]),
      backup([snapshotDone, transfer(0)]),
      backup([snapshotDone, transfer(20)]),
      backup([snapshotDone, transfer(26)]),
      backup([snapshotDone, transfer(30)]),
      backup([snapshotDone, transfer(200)]),
      ended,
    ];
    const lines = steps.map((job, i) => jobChanges(steps[i - 1], job));
    expect(lines).toEqual([
      ['Backup of web-1, job j1', 'Take Snapshot: in progress'],
      [],
      ['Take Snapshot: completed, 3 s', 'Transfer data to vault: in progress'],
      [],
      ['Transfer data to vault: 10 %, 26.0 MiB of 256.0 MiB'],
      [],
      ['Transfer data to vault: 70 %, 200.0 MiB of 256.0 MiB'],
      ['Transfer data to vault: completed, 11 s, read 256.0 MiB, new chunks 40.0 MiB, stored 15.0 MiB'],
    ]);
  });
});

describe('the end', () => {
  test('tells result, time and cost', () => {
    expect(jobResult(ended, look)).toEqual([
      'Backup of web-1: completed in 14 s; read 256.0 MiB, new chunks 40.0 MiB, stored 15.0 MiB',
    ]);
  });

  test('tells for each error code, sentence and what to do', () => {
    const errorDetails = [
      {
        errorCode: 400,
        errorTitle: 'UserErrorFsFreezeFailed',
        errorString: 'The file systems could not be frozen.',
        recommendations: ['Check the mounts.', 'Try again.'],
      },
    ];
    expect(jobResult(backup([], { status: 'Failed', errorDetails }), look)).toEqual([
      'Backup of web-1: failed in 10 s',
      'Error UserErrorFsFreezeFailed: The file systems could not be frozen.',
      'What to do: Check the mounts.',
      'What to do: Try again.',
    ]);
  });

  test('of a restore tells what was read and written', () => {
    const restored = backup(ended.properties.extendedInfo?.tasksList ?? [], {
      operation: 'Restore',
      status: 'Completed',
    });
    expect(jobResult(restored, look)).toEqual([
      'Restore of web-1: completed in 10 s; read 256.0 MiB, wrote 15.0 MiB',
    ]);
  });
});

describe('a display', () => {
  const collect = () => {
    const written: string[] = [];
    return { written, output: { write: (text: string) => written.push(text) } };
  };

  test('draws over itself on a terminal, and leaves notes and the end standing', () => {
    const { written, output } = collect();
    const display = new JobDisplay(output, { ...look, live: true }, () => now);
    const small = backup([]);
    display.update(small);
    display.update(running);
    display.note('The service does not answer; trying again.');
    display.update(small);
    display.end(small);
    expect(written).toEqual([
      'Backup of web-1, job j1: in progress\n',
      `\u001b[1A\u001b[J${jobFrame(running, look, now).join('\n')}\n`,
      '\u001b[3A\u001b[JThe service does not answer; trying again.\n',
      'Backup of web-1, job j1: in progress\n',
      '\u001b[1A\u001b[JBackup of web-1, job j1: in progress\n',
      'Backup of web-1: in progress in 10 s\n',
    ]);
  });

  test('writes lines without control codes elsewhere', () => {
    const { written, output } = collect();
    const display = new JobDisplay(output, look, () => now);
    display.update(running);
    display.end(ended);
    expect(written.join('')).toBe(
      [
        'Backup of web-1, job j1',
        'Take Snapshot: completed, 3 s',
        'Transfer data to vault: in progress',
        'Transfer data to vault: completed, 11 s, read 256.0 MiB, new chunks 40.0 MiB, stored 15.0 MiB',
        'Backup of web-1: completed in 14 s; read 256.0 MiB, new chunks 40.0 MiB, stored 15.0 MiB',
        '',
      ].join('\n'),
    );
  });
});
