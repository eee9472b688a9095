import { describe, expect, it } from 'vitest';
import { type PolicyFlags, policyProperties } from '../../src/cli/policy-flags.ts';
import { type BackupPolicy, presentPolicy, readPolicy } from '../../src/protection/index.ts';

/** The policy that the service makes of what the options say. */
async function policyOf(flags: PolicyFlags, before?: BackupPolicy): Promise<BackupPolicy> {
  const known = before && { ...presentPolicy(before), protectedItemsCount: 0 };
  const read = readPolicy('Mine', await policyProperties(flags, known));
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  return read.policy;
}

describe('options of a policy', () => {
  it('make a daily, a weekly and an hourly one', async () => {
    const daily = await policyOf({ at: '02:30', keepDays: 30, timeZone: 'Europe/Berlin' });
    expect(daily).toMatchObject({
      policyType: 'V2',
      timeZone: 'Europe/Berlin',
      schedule: { frequency: 'Daily', time: '02:30' },
      retention: { daily: { count: 30 } },
    });
    const weekly = { type: 'standard', at: '20:00', on: ['sunday', 'friday'], keepWeeks: 12 } as const;
    expect(await policyOf({ ...weekly, on: [...weekly.on] })).toMatchObject({
      policyType: 'V1',
      schedule: { frequency: 'Weekly', days: ['Sunday', 'Friday'] },
      retention: { weekly: { count: 12, days: ['Sunday', 'Friday'] } },
    });
    expect(await policyOf({ every: 6, keepDays: 14, snapshotDays: 5, crashConsistent: true })).toMatchObject({
      schedule: { frequency: 'Hourly', windowStart: '08:00', intervalHours: 6, windowHours: 24 },
      instantRetentionDays: 5,
      snapshotConsistencyType: 'OnlyCrashConsistent',
    });
  });

  it("make Azure's classic example, with days by their week or by their number", async () => {
    const classic: PolicyFlags = {
      at: '20:00',
      keepDays: 30,
      keepWeeks: 104,
      weeklyOn: ['sunday'],
      keepMonths: 120,
      monthlyOn: ['last-sunday'],
      keepYears: 99,
      yearlyOn: ['first-sunday'],
      yearlyIn: ['january'],
    };
    const made = await policyOf(classic);
    expect(made.retention).toEqual({
      daily: { count: 30 },
      weekly: { count: 104, days: ['Sunday'] },
      monthly: { count: 120, on: { format: 'Weekly', weekdays: ['Sunday'], weeks: ['Last'] } },
      yearly: {
        count: 99,
        on: { format: 'Weekly', weekdays: ['Sunday'], weeks: ['First'] },
        months: ['January'],
      },
    });
    // One thing changed, all others stay; and a rule is taken out.
    const changed = await policyOf({ monthlyOn: ['1', '15', 'last'], keepYears: 0, at: '21:00' }, made);
    expect(changed).toMatchObject({
      schedule: { time: '21:00' },
      retention: { monthly: { count: 120, on: { format: 'Daily', days: [1, 15], lastDay: true } } },
    });
    expect(changed.retention.yearly).toBeUndefined();
    expect(changed.retention.weekly).toEqual(made.retention.weekly);
    expect(await policyOf({ keepDays: 60 }, made)).toEqual({
      ...made,
      retention: { ...made.retention, daily: { count: 60 } },
    });
  });

  it('change no Enhanced policy into a Standard one', async () => {
    const made = await policyOf({ at: '02:30', keepDays: 30 });
    expect(await policyOf({ type: 'enhanced' }, made)).toEqual(made);
    await expect(policyOf({ type: 'standard' }, made)).rejects.toMatchObject({
      code: 'UserErrorPolicyTypeChangeNotAllowed',
      message: expect.stringContaining('an Enhanced one'),
    });
  });

  it.each<[PolicyFlags, string]>([
    [{ keepDays: 30 }, 'not said when'],
    [{ every: 4, at: '20:00' }, '--every goes with'],
    [{ at: '20:00', from: '08:00' }, 'go with --every'],
    [{ at: '20:00', monthlyOn: ['first-sunday', 'last-monday'], keepMonths: 1 }, 'each of the weeks'],
    [{ at: '20:00', monthlyOn: ['1', 'first-sunday'], keepMonths: 1 }, 'no day of a month'],
    [{ at: '20:00', keepDays: 9, monthlyOn: ['1'] }, 'how many months'],
    [{ file: 'x.json', at: '20:00' }, 'not by both'],
  ])('are refused where they contradict each other or say too little: %j', async (flags, sentence) => {
    await expect(policyProperties(flags)).rejects.toThrow(sentence);
  });
});
