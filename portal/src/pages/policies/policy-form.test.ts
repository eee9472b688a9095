import { expect, it } from 'vitest';
import { ApiError, policy as policyShape } from '../../../../src/api/client/browser.ts';
import { formOf, lastDay, newForm, type PolicyForm, propertiesOf } from './policy-form.ts';
import { fieldRefusals, isToldByFields } from './policy-refusals.ts';

const form = (change: Partial<PolicyForm>): PolicyForm => ({ ...newForm, timeZone: 'UTC', ...change });

/** The policy that the service would show for the fields. */
const saved = (of: PolicyForm) => {
  const retentionPolicy = propertiesOf(of).retentionPolicy as Record<string, object>;
  const rules = Object.entries(retentionPolicy).map(([name, rule]) => [
    name,
    typeof rule === 'object' ? { retentionTimes: [], ...rule } : rule,
  ]);
  return policyShape.parse({
    id: '/p',
    name: 'p',
    type: 't',
    properties: {
      instantRpRetentionRangeInDays: 5,
      protectedItemsCount: 0,
      ...propertiesOf(of),
      retentionPolicy: Object.fromEntries(rules),
    },
  });
};

it.each<[string, PolicyForm]>([
  ['a new one', form({})],
  ['a daily Standard', form({ policyType: 'V1', frequency: 'Daily', time: '20:30', instantDays: '2' })],
  [
    'a weekly Standard, whose snapshots have a fixed time',
    form({
      policyType: 'V1',
      frequency: 'Weekly',
      days: ['Monday'],
      instantDays: '5',
      weekly: { isOn: true, count: '9', days: ['Monday'] },
    }),
  ],
  [
    'all rules, in both formats',
    form({
      frequency: 'Daily',
      crashConsistent: true,
      weekly: { isOn: true, count: '12', days: ['Sunday', 'Friday'] },
      monthly: { ...newForm.monthly, isOn: true, format: 'Daily', dates: ['1', '15', lastDay] },
      yearly: { ...newForm.yearly, isOn: true, count: '3', months: ['March'], weeks: ['Last'] },
    }),
  ],
])('shows %s as it was made', (_what, made) => {
  expect(formOf(saved(made))).toEqual(made);
});

it('sends what is no number as it is, and leaves out what is empty', () => {
  const { instantRpRetentionRangeInDays: days, retentionPolicy } = propertiesOf(
    form({ instantDays: 'many', dailyCount: ' ' }),
  ) as Record<string, unknown>;
  expect(days).toBe('many');
  expect(retentionPolicy).toMatchObject({ dailySchedule: { retentionDuration: { count: undefined } } });
});

it('puts what is refused at the field that names it most closely', () => {
  const details = [
    { target: 'properties.schedulePolicy.weeklySchedule.scheduleRunDays[0]', message: 'no day' },
    { target: 'properties.schedulePolicy.weeklySchedule.scheduleRunTimes', message: 'no time' },
    { target: 'properties.retentionPolicy.monthlySchedule.retentionDuration.count', message: 'too many' },
  ];
  const told = new ApiError('BMSUserErrorInvalidPolicyInput', 'Wrong.', { status: 400, details });
  expect(fieldRefusals(told)).toEqual({ days: 'No day', time: 'No time', monthlyCount: 'Too many' });
  expect(isToldByFields(told)).toBe(true);
  const elsewhere = [...details, { target: 'properties.tieringPolicy', message: 'not here' }];
  const more = new ApiError('BMSUserErrorInvalidPolicyInput', 'Wrong.', { status: 400, details: elsewhere });
  expect(isToldByFields(more)).toBe(false);
  expect(fieldRefusals(new Error('away'))).toEqual({});
});
