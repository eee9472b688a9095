import { expect, test } from 'vitest';
import { optionFor } from './policy-problems.ts';
import { lines, world } from './testing/scripted-service.ts';

const at = 'properties.retentionPolicy';

test('a wrong field is told of by the option that set it, or would, and by its own name where none did', () => {
  const of = (path: string, flags: Parameters<typeof optionFor>[1]) => optionFor(path, flags);
  const daily = `${at}.dailySchedule.retentionDuration.count`;
  expect(of(daily, { keepDays: 1 })).toBe('--keep-days');
  expect(of(daily, { keepWeeks: 1 })).toBe('--keep-days');
  expect(of(daily, {})).toBe(daily);
  expect(of(`${at}.weeklySchedule.daysOfTheWeek[0]`, { on: ['x'] })).toBe('--on');
  expect(of(`${at}.weeklySchedule.daysOfTheWeek[0]`, { on: ['x'], weeklyOn: ['y'] })).toBe('--weekly-on');
  expect(of(`${at}.yearlySchedule.monthsOfYear[0]`, { keepYears: 1, yearlyIn: ['x'] })).toBe('--yearly-in');
  expect(of(`${at}.yearlySchedule.retentionDuration`, { keepYears: 1, yearlyIn: ['x'] })).toBe(
    '--keep-years',
  );
  expect(of('properties.schedulePolicy.hourlySchedule.interval', { every: 5 })).toBe('--every');
  expect(of('properties.schedulePolicy.dailySchedule.scheduleRunTimes[0]', { at: '2' })).toBe('--at');
});

test('what is wrong with a policy is said one by one, each with its option', async () => {
  const details = [
    { code: 'C', target: `${at}.dailySchedule.retentionDuration.count`, message: '1 is not allowed.' },
    { code: 'C', target: 'properties.timeZone', message: 'there is no such zone.' },
  ];
  const message = `Policy 'P' can't be saved. ${details.map((each) => `${each.target}: ${each.message}`).join(' ')}`;
  const error = { code: 'BMSUserErrorInvalidPolicyInput', message, details };
  const { run } = await world({
    'PUT VAULT/backupPolicies/P': () => ({ status: 400, body: { error } }),
  });
  const line = 'policy create P --vault v1 --at 02:30 --keep-days 1';
  expect((await run(line)).err).toMatch(
    `${lines(
      "Error BMSUserErrorInvalidPolicyInput: Policy 'P' can't be saved.",
      '  --keep-days: 1 is not allowed.',
      '  --time-zone: there is no such zone.',
    )}What to do: `,
  );
  expect(JSON.parse((await run(`${line} -o json`)).err)).toEqual({ error });
});
