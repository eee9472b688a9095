import { describe, expect, it } from 'vitest';
import { dutyOf } from './duty.ts';
import { type BackupPolicy, defaultPolicy, enhancedPolicy } from './policy.ts';
import { previousRun } from './schedule.ts';

const at = (text: string) => Temporal.Instant.from(text);
const duty = (policy: BackupPolicy, run: string, done: string, hasVaultPoint = true) =>
  dutyOf(policy, previousRun(policy, at(run)), at(done), hasVaultPoint);

const tagged: BackupPolicy = {
  ...defaultPolicy,
  retention: {
    daily: { count: 30 },
    weekly: { count: 104, days: ['Sunday'] },
    yearly: {
      count: 99,
      months: ['January'],
      on: { format: 'Weekly', weekdays: ['Sunday'], weeks: ['First'] },
    },
  },
};

describe('a daily schedule', () => {
  it('brings every point to the vault, with the tags of its day', () => {
    expect(duty(tagged, '2026-01-03T20:00:00Z', '2026-01-02T20:00:00Z')).toEqual({
      toVault: true,
      tags: ['Daily'],
    });
    expect(duty(tagged, '2026-01-04T20:00:00Z', '2026-01-03T20:00:00Z')).toEqual({
      toVault: true,
      tags: ['Daily', 'Weekly', 'Yearly'],
    });
  });

  it('gives what a failed day would have earned to the next point, and only to that', () => {
    expect(duty(tagged, '2026-01-06T20:00:00Z', '2026-01-03T20:00:00Z').tags).toEqual([
      'Daily',
      'Weekly',
      'Yearly',
    ]);
    expect(duty(tagged, '2026-01-07T20:00:00Z', '2026-01-06T20:00:00Z').tags).toEqual(['Daily']);
  });

  it('looks no further back than to when the item came under the policy', () => {
    expect(duty(tagged, '2026-01-06T20:00:00Z', '2026-01-05T00:00:00Z').tags).toEqual(['Daily']);
  });
});

describe('an hourly schedule', () => {
  const hourly: BackupPolicy = { ...enhancedPolicy, retention: tagged.retention };

  it('brings the last point of the day to the vault', () => {
    expect(duty(hourly, '2026-01-04T16:00:00Z', '2026-01-03T20:00:00Z')).toEqual({
      toVault: false,
      tags: [],
    });
    expect(duty(hourly, '2026-01-04T20:00:00Z', '2026-01-03T20:00:00Z')).toEqual({
      toVault: true,
      tags: ['Daily', 'Weekly', 'Yearly'],
    });
    expect(duty(hourly, '2026-01-05T00:00:00Z', '2026-01-04T20:00:00Z')).toEqual({
      toVault: false,
      tags: [],
    });
  });

  it('brings the first of the next day when that failed, in its stead', () => {
    expect(duty(hourly, '2026-01-05T00:00:00Z', '2026-01-03T20:00:00Z').tags).toEqual([
      'Daily',
      'Weekly',
      'Yearly',
    ]);
    expect(duty(hourly, '2026-01-05T04:00:00Z', '2026-01-05T00:00:00Z').toVault).toBe(false);
  });

  it('brings the first point of an item at once', () => {
    expect(duty(hourly, '2026-01-04T12:00:00Z', '2026-01-04T11:00:00Z', false)).toEqual({
      toVault: true,
      tags: ['Daily'],
    });
    expect(duty(hourly, '2026-01-04T12:00:00Z', '2026-01-04T11:00:00Z', true).toVault).toBe(false);
  });
});

it('gives a weekly schedule the tags of its own rhythm only', () => {
  const weekly: BackupPolicy = {
    ...defaultPolicy,
    schedule: { frequency: 'Weekly', days: ['Sunday'], time: '20:00' },
    retention: { weekly: { count: 4, days: ['Sunday'] } },
  };
  expect(duty(weekly, '2026-01-11T20:00:00Z', '2026-01-04T20:00:00Z', false)).toEqual({
    toVault: true,
    tags: ['Weekly'],
  });
});

it('looks back 366 days at most, whatever is said to be undone', () => {
  const leapDay: BackupPolicy = {
    ...defaultPolicy,
    retention: {
      daily: { count: 7 },
      yearly: { count: 9, months: ['February'], on: { format: 'Daily', days: [29], lastDay: false } },
    },
  };
  const tags = (run: string) => duty(leapDay, run, '1970-01-01T00:00:00Z').tags;
  expect(tags('2025-02-28T20:00:00Z')).toEqual(['Daily', 'Yearly']);
  expect(tags('2025-03-01T20:00:00Z')).toEqual(['Daily']);
  expect(duty(tagged, '2026-06-01T20:00:00Z', '1970-01-01T00:00:00Z', false).tags).toEqual([
    'Daily',
    'Weekly',
    'Yearly',
  ]);
});
