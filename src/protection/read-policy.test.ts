import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BackupPolicy, defaultPolicy, enhancedPolicy, months, policiesOfNewVault } from './policy.ts';
import { presentPolicy } from './policy-document.ts';
import { invalidPolicy, readPolicy } from './read-policy.ts';
import { anyPolicy } from './testing/arbitraries.ts';

/** A document as a client sends it: plain JSON, whose fields a test may set to anything. */
// biome-ignore lint/suspicious/noExplicitAny: bad input is the point
type Document = any;

const weeklyStandard: BackupPolicy = {
  name: 'Weekly1',
  policyType: 'V1',
  timeZone: 'Pacific Standard Time',
  schedule: { frequency: 'Weekly', days: ['Monday', 'Thursday'], time: '10:00' },
  instantRetentionDays: 5,
  retention: {
    weekly: { count: 1, days: ['Monday', 'Thursday'] },
    monthly: { count: 2, on: { format: 'Weekly', weekdays: ['Thursday'], weeks: ['First', 'Third'] } },
  },
};
const weeklyEnhanced: BackupPolicy = { ...weeklyStandard, policyType: 'V2', instantRetentionDays: 7 };
const everyRule: BackupPolicy = {
  ...defaultPolicy,
  retention: {
    daily: { count: 30 },
    weekly: { count: 104, days: ['Sunday'] },
    monthly: { count: 120, on: { format: 'Daily', days: [1, 15], lastDay: true } },
    yearly: { count: 99, months: ['February'], on: { format: 'Daily', days: [29], lastDay: false } },
  },
};

/** Paths that are refused after a change to the document of a policy; empty when it is taken. */
function refusedAfter(policy: BackupPolicy, change: (properties: Document) => void): string[] {
  const properties: Document = structuredClone(presentPolicy(policy));
  change(properties);
  const read = readPolicy(policy.name, properties);
  return 'problems' in read ? read.problems.map(({ path }) => path.replace('properties.', '')) : [];
}

/** Sets the field at a path such as `a.b[0].c`. */
function set(document: Document, path: string, value: unknown): void {
  const keys = path.replaceAll('[', '.').replaceAll(']', '').split('.');
  const last = keys.pop() as string;
  keys.reduce((at, key) => at[key], document)[last] = value;
}

it("starts a vault with Azure's two policies, both valid", () => {
  expect(policiesOfNewVault.map(({ name }) => name)).toEqual(['DefaultPolicy', 'EnhancedPolicy']);
  for (const policy of policiesOfNewVault) expect(refusedAfter(policy, () => {})).toEqual([]);
  expect(presentPolicy(defaultPolicy)).toEqual({
    backupManagementType: 'AzureIaasVM',
    policyType: 'V1',
    timeZone: 'UTC',
    instantRpRetentionRangeInDays: 2,
    schedulePolicy: {
      schedulePolicyType: 'SimpleSchedulePolicy',
      scheduleRunFrequency: 'Daily',
      scheduleRunTimes: ['2020-01-01T20:00:00Z'],
      scheduleWeeklyFrequency: 0,
    },
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      dailySchedule: {
        retentionTimes: ['2020-01-01T20:00:00Z'],
        retentionDuration: { count: 30, durationType: 'Days' },
      },
    },
  });
});

it("starts a vault with Azure's Enhanced policy as far as it is known", () => {
  expect(presentPolicy(enhancedPolicy)).toMatchObject({
    policyType: 'V2',
    timeZone: 'UTC',
    instantRpRetentionRangeInDays: 7,
    schedulePolicy: {
      schedulePolicyType: 'SimpleSchedulePolicyV2',
      scheduleRunFrequency: 'Hourly',
      hourlySchedule: {
        interval: 4,
        scheduleWindowStartTime: '2020-01-01T08:00:00Z',
        scheduleWindowDuration: 24,
      },
    },
    retentionPolicy: { dailySchedule: { retentionDuration: { count: 30, durationType: 'Days' } } },
  });
});

it('reads what it presents, for any policy', () => {
  fc.assert(
    fc.property(anyPolicy(), (policy) => {
      const sent = JSON.parse(JSON.stringify(presentPolicy(policy)));
      expect(readPolicy(policy.name, sent)).toEqual({ policy });
    }),
    { numRuns: 300 },
  );
});

it('takes what clients leave out or send for nothing', () => {
  const read = readPolicy('Sent', {
    backupManagementType: 'azureiaasvm',
    schedulePolicy: {
      schedulePolicyType: 'SimpleSchedulePolicy',
      scheduleRunFrequency: 'Daily',
      scheduleRunDays: null,
      scheduleRunTimes: ['2018-01-24T10:00:00.000Z'],
    },
    retentionPolicy: {
      retentionPolicyType: 'LongTermRetentionPolicy',
      dailySchedule: { retentionDuration: { count: 7, durationType: 'days' } },
      weeklySchedule: null,
    },
    tieringPolicy: { ArchivedRP: { tieringMode: 'DoNotTier', duration: 0, durationType: 'Invalid' } },
    instantRPDetails: {},
    resourceGuardOperationRequests: [],
    protectedItemsCount: 3,
    somethingNew: null,
  });
  expect(read).toEqual({
    policy: {
      name: 'Sent',
      policyType: 'V1',
      timeZone: 'UTC',
      schedule: { frequency: 'Daily', time: '10:00' },
      instantRetentionDays: 2,
      retention: { daily: { count: 7 } },
    },
  });
});

describe('limits', () => {
  const instant = (days: number) => (sent: Document) => {
    sent.instantRpRetentionRangeInDays = days;
  };
  const interval = (hours: number, days: number) => (sent: Document) => {
    sent.schedulePolicy.hourlySchedule.interval = hours;
    sent.instantRpRetentionRangeInDays = days;
  };
  const count = (rule: string, value: unknown) => (sent: Document) => {
    sent.retentionPolicy[`${rule}Schedule`].retentionDuration.count = value;
  };
  // Kept for longer than any snapshot: else that would be what is refused.
  const retention = { daily: { count: 60 } };
  const daily60 = { ...defaultPolicy, policyType: 'V2', retention } as const;
  const hourly60 = { ...enhancedPolicy, retention };
  const instantPath = 'instantRpRetentionRangeInDays';
  const countPath = (rule: string) => `retentionPolicy.${rule}Schedule.retentionDuration.count`;

  it.each<[string, BackupPolicy, (least: number) => (sent: Document) => void, number, number, string]>([
    ['Standard snapshots', defaultPolicy, instant, 1, 5, instantPath],
    ['weekly Standard snapshots', weeklyStandard, instant, 5, 5, instantPath],
    ['Enhanced daily snapshots', daily60, instant, 1, 30, instantPath],
    ['snapshots every 4 hours', hourly60, (n) => interval(4, n), 1, 17, instantPath],
    ['snapshots every 6 hours', hourly60, (n) => interval(6, n), 1, 22, instantPath],
    ['snapshots every 8 hours', hourly60, (n) => interval(8, n), 1, 30, instantPath],
    ['snapshots every 12 hours', hourly60, (n) => interval(12, n), 1, 30, instantPath],
    ['snapshots every 24 hours', hourly60, (n) => interval(24, n), 1, 30, instantPath],
    ['daily retention', everyRule, (n) => count('daily', n), 7, 9999, countPath('daily')],
    ['weekly retention', everyRule, (n) => count('weekly', n), 1, 5163, countPath('weekly')],
    ['monthly retention', everyRule, (n) => count('monthly', n), 1, 1188, countPath('monthly')],
    ['yearly retention', everyRule, (n) => count('yearly', n), 1, 99, countPath('yearly')],
    [
      'window',
      enhancedPolicy,
      (n) => (sent) => {
        sent.schedulePolicy.hourlySchedule.scheduleWindowDuration = n;
      },
      4,
      24,
      'schedulePolicy.hourlySchedule.scheduleWindowDuration',
    ],
    [
      'name length',
      defaultPolicy,
      (n) => (sent) => {
        sent.length = n;
      },
      3,
      150,
      'name',
    ],
  ])('of %s', (_, policy, change, least, most, path) => {
    const paths = (n: number) => {
      if (path !== 'name') return refusedAfter(policy, change(n));
      const read = readPolicy('x'.repeat(n), presentPolicy(policy));
      return 'problems' in read ? read.problems.map((problem) => problem.path) : [];
    };
    expect(paths(least - 1)).toEqual([path]);
    expect(paths(least)).toEqual([]);
    expect(paths(most)).toEqual([]);
    expect(paths(most + 1)).toEqual([path]);
  });

  it.each([4.5, '7', Number.NaN, true])('takes no %j for a count', (value) => {
    expect(refusedAfter(everyRule, count('weekly', value))).toEqual([countPath('weekly')]);
  });

  it('takes 19:30 as the latest start of a window', () => {
    const start = (time: string) => (sent: Document) => {
      sent.schedulePolicy.hourlySchedule.scheduleWindowStartTime = `2026-01-01T${time}:00Z`;
      sent.retentionPolicy.dailySchedule.retentionTimes = [`2026-01-01T${time}:00Z`];
    };
    expect(refusedAfter(enhancedPolicy, start('00:00'))).toEqual([]);
    expect(refusedAfter(enhancedPolicy, start('19:30'))).toEqual([]);
    expect(refusedAfter(enhancedPolicy, start('19:31'))).toEqual([
      'schedulePolicy.hourlySchedule.scheduleWindowStartTime',
    ]);
  });

  it.each([0, 1, 3, 5, 7, 9, 23, 25])('takes no interval of %d hours', (hours) => {
    expect(refusedAfter(enhancedPolicy, interval(hours, 2))).toEqual([
      'schedulePolicy.hourlySchedule.interval',
    ]);
  });

  it('wants the vault to keep points for at least as long as their snapshots', () => {
    const days = (kept: number) => ({ ...daily60, retention: { daily: { count: kept } } });
    expect(refusedAfter(days(20), instant(20))).toEqual([]);
    expect(refusedAfter(days(19), instant(20))).toEqual([instantPath]);
    expect(refusedAfter(weeklyEnhanced, instant(7))).toEqual([]);
    expect(refusedAfter(weeklyEnhanced, instant(8))).toEqual([instantPath]);
  });

  it('gives snapshots that nothing is said of the usual days', () => {
    const usual = (policy: BackupPolicy) => {
      const { instantRpRetentionRangeInDays: _, ...sent } = presentPolicy(policy);
      const read = readPolicy(policy.name, sent);
      return 'policy' in read ? read.policy.instantRetentionDays : read.problems;
    };
    expect([defaultPolicy, weeklyStandard, enhancedPolicy, weeklyEnhanced].map(usual)).toEqual([2, 5, 7, 7]);
  });
});

describe('refusals', () => {
  const at = {
    frequency: 'schedulePolicy.scheduleRunFrequency',
    kind: 'schedulePolicy.schedulePolicyType',
    times: 'schedulePolicy.scheduleRunTimes',
    hours: 'schedulePolicy.hourlySchedule',
    daily: 'retentionPolicy.dailySchedule',
    weekly: 'retentionPolicy.weeklySchedule',
    monthly: 'retentionPolicy.monthlySchedule',
    yearly: 'retentionPolicy.yearlySchedule',
    day: 'retentionPolicy.monthlySchedule.retentionScheduleDaily.daysOfTheMonth[0]',
  };
  const every12: BackupPolicy = {
    ...enhancedPolicy,
    schedule: { frequency: 'Hourly', windowStart: '08:00', intervalHours: 12, windowHours: 24 },
  };
  const byNumber = {
    retentionScheduleFormatType: 'Daily',
    retentionScheduleDaily: { daysOfTheMonth: [{ date: 1 }] },
    retentionDuration: { count: 1, durationType: 'Months' },
  };

  it.each<[string, BackupPolicy, string, unknown, string?]>([
    ['hours in a Standard policy', defaultPolicy, at.frequency, 'Hourly'],
    ['an Enhanced schedule in a Standard policy', enhancedPolicy, 'policyType', undefined, at.kind],
    ['a Standard schedule in an Enhanced policy', defaultPolicy, 'policyType', 'V2', at.kind],
    ['another workload', defaultPolicy, 'backupManagementType', 'AzureSql'],
    ['an unknown policy type', defaultPolicy, 'policyType', 'V3'],
    ['an unknown field', defaultPolicy, 'colour', 'blue'],
    ['an unknown zone', defaultPolicy, 'timeZone', 'Europe/Atlantis'],
    ['an offset as zone', defaultPolicy, 'timeZone', '+02:00'],
    ['two times', defaultPolicy, at.times, ['2026-01-01T10:00:00Z', '2026-01-01T20:00:00Z']],
    ['no time', defaultPolicy, at.times, []],
    ['a time with seconds', defaultPolicy, at.times, ['2026-01-01T10:00:01Z'], `${at.times}[0]`],
    ['a time that is none', defaultPolicy, at.times, ['2026-01-01T24:00:00Z'], `${at.times}[0]`],
    ['days of a daily schedule', defaultPolicy, 'schedulePolicy.scheduleRunDays', ['Monday']],
    [
      'a day that is none',
      weeklyStandard,
      'schedulePolicy.scheduleRunDays',
      ['Someday'],
      'schedulePolicy.scheduleRunDays[0]',
    ],
    ['a number of weeks between', weeklyStandard, 'schedulePolicy.scheduleWeeklyFrequency', 1],
    ['hours beside a Standard schedule', defaultPolicy, 'schedulePolicy.hourlySchedule', { interval: 4 }],
    [
      'a daily schedule beside hours',
      enhancedPolicy,
      'schedulePolicy.dailySchedule',
      { scheduleRunTimes: [] },
    ],
    ['a window without room', every12, `${at.hours}.scheduleWindowDuration`, 11],
    [
      'another kind of retention',
      defaultPolicy,
      'retentionPolicy.retentionPolicyType',
      'SimpleRetentionPolicy',
    ],
    [
      'a retention at another time',
      defaultPolicy,
      `${at.daily}.retentionTimes`,
      ['2026-01-01T21:00:00Z'],
      `${at.daily}.retentionTimes[0]`,
    ],
    ['days without daily retention', defaultPolicy, at.daily, undefined],
    ['hours without daily retention', enhancedPolicy, at.daily, null],
    ['weeks without weekly retention', weeklyStandard, at.weekly, undefined],
    [
      'weeks with daily retention',
      weeklyStandard,
      at.daily,
      { retentionDuration: { count: 30, durationType: 'Days' } },
    ],
    ['a scheduled day without retention', weeklyStandard, `${at.weekly}.daysOfTheWeek`, ['Monday']],
    [
      'retention of a day without backup',
      weeklyStandard,
      `${at.weekly}.daysOfTheWeek`,
      ['Monday', 'Thursday', 'Friday'],
    ],
    [
      'a day of the month without backup',
      weeklyStandard,
      `${at.monthly}.retentionScheduleWeekly.daysOfTheWeek`,
      ['Sunday'],
    ],
    [
      'days by number of a weekly schedule',
      weeklyStandard,
      at.monthly,
      byNumber,
      `${at.monthly}.retentionScheduleFormatType`,
    ],
    [
      'both formats',
      everyRule,
      `${at.monthly}.retentionScheduleWeekly`,
      { daysOfTheWeek: ['Sunday'], weeksOfTheMonth: ['First'] },
    ],
    ['no format', everyRule, `${at.monthly}.retentionScheduleFormatType`, undefined],
    ['weeks counted in days', everyRule, `${at.weekly}.retentionDuration.durationType`, 'Days'],
    ['day 32', everyRule, `${at.day}.date`, 32],
    ['day 0 that is not the last', everyRule, `${at.day}.date`, 0],
    ['a last day with a number', everyRule, `${at.day}.isLast`, true, `${at.day}.date`],
    ['30 February', everyRule, `${at.yearly}.retentionScheduleDaily`, { daysOfTheMonth: [{ date: 30 }] }],
    ['a yearly rule of no month', everyRule, `${at.yearly}.monthsOfYear`, []],
    [
      'crash-consistent in a Standard policy',
      defaultPolicy,
      'snapshotConsistencyType',
      'OnlyCrashConsistent',
    ],
    ['another consistency', enhancedPolicy, 'snapshotConsistencyType', 'Strong'],
    [
      'an archive tier',
      defaultPolicy,
      'tieringPolicy',
      { ArchivedRP: { tieringMode: 'TierAfter' } },
      'tieringPolicy.ArchivedRP.tieringMode',
    ],
    ['a resource group for snapshots', defaultPolicy, 'instantRPDetails', { azureBackupRGNamePrefix: 'rg' }],
    ['a resource guard', defaultPolicy, 'resourceGuardOperationRequests', ['x']],
  ])('name %s', (_, policy, path, value, refused = path) => {
    expect(refusedAfter(policy, (sent) => set(sent, path, value))).toEqual([refused]);
  });

  it('take a yearly rule that some of its days, or the last day, can act on', () => {
    const on = (daysOfTheMonth: unknown) => (sent: Document) =>
      set(sent, `${at.yearly}.retentionScheduleDaily`, { daysOfTheMonth });
    expect(refusedAfter(everyRule, on([{ date: 29 }, { date: 30 }]))).toEqual([]);
    expect(refusedAfter(everyRule, on([{ date: 30 }, { isLast: true }]))).toEqual([]);
  });

  it.each([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].map((days, i) => [months[i] as string, days]))(
    'know that %s has %d days',
    (month, days) => {
      const on = (date: number) => (sent: Document) => {
        sent.retentionPolicy.yearlySchedule.monthsOfYear = [month];
        set(sent, `${at.yearly}.retentionScheduleDaily`, { daysOfTheMonth: [{ date }] });
      };
      expect(refusedAfter(everyRule, on(days))).toEqual([]);
      const path = days === 31 ? '.daysOfTheMonth[0].date' : '';
      expect(refusedAfter(everyRule, on(days + 1))).toEqual([`${at.yearly}.retentionScheduleDaily${path}`]);
    },
  );

  it.each([
    ['2026-01-01T20:00Z', true],
    ['2026-01-01t20:00:00.000z', true],
    ['2026-01-01T20:00:00+02:00', true],
    ['2026-01-01T20:00:00-0200', true],
    ['2026-01-01T20:00:00', true],
    ['2026-01-01T20:00:00.001Z', false],
    ['2026-01-01T20:60:00Z', false],
    ['2026-01-01T20:00:00+2:00', false],
    ['2026-01-01T20:00:00+02:0', false],
    ['2026-01-01T20:00:00+002:00', false],
    ['2026-01-01T20:00:00+02:000', false],
    ['2026-01-01T20:00:0Z', false],
    ['2026-1-01T20:00:00Z', false],
    ['26-01-01T20:00:00Z', false],
    ['20:00', false],
  ])('read %s as a time of day: %s', (time, taken) => {
    const sent = (properties: Document) => {
      properties.schedulePolicy.scheduleRunTimes = [time];
      delete properties.retentionPolicy.dailySchedule.retentionTimes;
    };
    expect(refusedAfter(defaultPolicy, sent)).toEqual(taken ? [] : [`${at.times}[0]`]);
  });

  it('take lists of 400 elements at most, and quote what is too long in part', () => {
    const problemOf = (value: unknown) => {
      const properties: Document = structuredClone(presentPolicy(weeklyStandard));
      set(properties, 'schedulePolicy.scheduleRunDays', value);
      const read = readPolicy('Sent', properties);
      return 'problems' in read ? read.problems[0].problem : undefined;
    };
    const days = (count: number) => Array.from({ length: count }, (_, i) => ['Monday', 'Thursday'][i % 2]);
    expect([days(400), days(401)].map(problemOf)).toEqual([undefined, 'it has 401 elements']);
    expect(problemOf('x'.repeat(58))).toBe(`"${'x'.repeat(58)}" is no list`);
    expect(problemOf('x'.repeat(59))).toBe(`"${'x'.repeat(56)}... is no list`);
    const unknown = readPolicy('Sent', { ['y'.repeat(61)]: 1 });
    expect('problems' in unknown && unknown.problems[0].path).toBe(`properties.${'y'.repeat(60)}`);
    const twice = structuredClone(presentPolicy(defaultPolicy)) as Document;
    twice.schedulePolicy.scheduleRunTimes.push('2020-01-01T21:00:00Z');
    expect(readPolicy('Sent', twice)).toMatchObject({ problems: [{ problem: 'it names 2 times' }] });
  });

  it('name everything that is wrong at once, what is allowed and why', () => {
    const sent: Document = structuredClone(presentPolicy(everyRule));
    sent.timeZone = 'Mars';
    sent.instantRpRetentionRangeInDays = 6;
    sent.retentionPolicy.dailySchedule.retentionDuration.count = 6;
    sent.retentionPolicy.yearlySchedule.retentionDuration.count = 100;
    const read = readPolicy('1st', sent);
    if (!('problems' in read)) throw new Error('it was taken');
    expect(read.problems.map(({ path }) => path)).toEqual([
      'name',
      'properties.retentionPolicy.dailySchedule.retentionDuration.count',
      'properties.retentionPolicy.yearlySchedule.retentionDuration.count',
      'properties.timeZone',
      'properties.instantRpRetentionRangeInDays',
    ]);
    const error = invalidPolicy('1st', read.problems);
    expect(error.code).toBe('BMSUserErrorInvalidPolicyInput');
    expect(error.message).toContain(
      'retentionDuration.count: 6 is not allowed. Allowed: a whole number from 7 to 9999.',
    );
    expect(error.details.map(({ target }) => target)).toEqual(read.problems.map(({ path }) => path));
    for (const { path, why } of read.problems) {
      expect(error.message).toContain(path);
      expect(why).toMatch(/^[A-Z].+\.$/);
    }
  });

  it('spells out 30 problems at most', () => {
    const refused = (count: number) => {
      const unknown = Array.from({ length: count }, (_, i) => [`x${i}`, 1]);
      const read = readPolicy('Sent', { ...presentPolicy(defaultPolicy), ...Object.fromEntries(unknown) });
      if (!('problems' in read)) throw new Error('it was taken');
      expect(read.problems).toHaveLength(count);
      return invalidPolicy('n'.repeat(151), read.problems);
    };
    const { message, target } = refused(31);
    expect(target).toBe('properties.x0');
    expect(message).toContain(`Policy '${'n'.repeat(150)}' can't be saved. properties.x0:`);
    expect(message).toContain('properties.x29:');
    expect(message).not.toContain('properties.x30:');
    expect(message).toMatch(/And 1 more\.$/);
    expect(refused(30).message).not.toContain('more.');
  });

  it.each([undefined, null, 'x', 7, []])('takes no %j for a document', (sent) => {
    expect(readPolicy('Sent', sent)).toMatchObject({ problems: [{ path: 'properties' }] });
  });

  it('never throws, whatever it is sent, and never refuses without a reason', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.anything(),
        fc.anything(),
        (schedulePolicy, retentionPolicy, timeZone) => {
          const read = readPolicy('Sent', { policyType: 'V2', schedulePolicy, retentionPolicy, timeZone });
          expect('problems' in read && read.problems.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});
