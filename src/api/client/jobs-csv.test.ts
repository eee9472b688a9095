import { expect, it } from 'vitest';
import { jobsCsvHeader, jobsCsvLine } from './jobs-csv.ts';
import type { Job } from './shapes.ts';

const job = (properties: Partial<Job['properties']>): Job => ({
  id: '/j',
  name: 'j-1',
  type: 'Microsoft.RecoveryServices/vaults/backupJobs',
  properties: {
    jobType: 'AzureIaaSVMJob',
    backupManagementType: 'AzureIaasVM',
    operation: 'Backup',
    status: 'Completed',
    entityFriendlyName: 'web',
    startTime: '2026-11-21T05:00:00.000Z',
    duration: 'PT1M',
    activityId: 'j-1',
    isUserTriggered: false,
    ...properties,
  },
});

it('writes one line for a job, under as many headers', () => {
  expect(jobsCsvLine(job({ endTime: '2026-11-21T05:01:00.000Z' }))).toBe(
    'web,Backup,Completed,2026-11-21T05:00:00.000Z,2026-11-21T05:01:00.000Z,PT1M,Schedule,,,,j-1\r\n',
  );
  expect(jobsCsvHeader.split(',').length).toBe(11);
});

it('quotes what would end a cell or a line, and lets nothing be taken for a formula', () => {
  const errorString = 'The disk said "no",\nand nothing else.';
  const failed = job({
    status: 'Failed',
    entityFriendlyName: '=cmd|calc',
    errorDetails: [{ errorCode: 1, errorTitle: 'E', errorString, recommendations: ['Wait.', 'Try again.'] }],
  });
  expect(jobsCsvLine(failed)).toContain("'=cmd|calc,Backup,Failed,");
  expect(jobsCsvLine(failed)).toContain(
    ',E,"The disk said ""no"",\nand nothing else.",Wait. Try again.,j-1\r\n',
  );
});
