import { Checkbox, Field, Radio, RadioGroup } from '@fluentui/react-components';
import { ManyOf } from './many-of.tsx';
import { lastDay, type MonthRule, type PolicyForm } from './policy-form.ts';
import type { FieldsProps } from './schedule-fields.tsx';
import { TextField } from './text-field.tsx';
import { months, weekdays, weeks } from './words.ts';

/** How long which points are kept; which rules there must be goes by the schedule. */
export function RetentionFields(props: FieldsProps) {
  return (
    <>
      <DailyRetention {...props} />
      <WeeklyRetention {...props} />
      <MonthlyRetention {...props} />
      <YearlyRetention {...props} />
    </>
  );
}

function DailyRetention({ form, refusals, onChange }: FieldsProps) {
  if (form.frequency === 'Weekly') return null;
  return (
    <TextField
      label="Daily backup points are kept for"
      unit="days"
      value={form.dailyCount}
      problem={refusals.dailyCount}
      onChange={(dailyCount) => onChange({ dailyCount })}
    />
  );
}

function WeeklyRetention({ form, refusals, onChange }: FieldsProps) {
  const isNeeded = form.frequency === 'Weekly';
  const change = (weekly: Partial<PolicyForm['weekly']>) =>
    onChange({ weekly: { ...form.weekly, ...weekly } });
  return (
    <>
      <Checkbox
        label="Retention of weekly backup points"
        checked={isNeeded || form.weekly.isOn}
        disabled={isNeeded}
        onChange={(_event, { checked }) => change({ isOn: checked === true })}
      />
      {(isNeeded || form.weekly.isOn) && (
        <>
          {!isNeeded && (
            <ManyOf
              label="Days of the weekly points"
              choices={weekdays}
              value={form.weekly.days}
              problem={refusals.weeklyDays}
              onChange={(days) => change({ days })}
            />
          )}
          <TextField
            label="Weekly backup points are kept for"
            unit="weeks"
            value={form.weekly.count}
            problem={isNeeded ? (refusals.weeklyCount ?? refusals.weeklyDays) : refusals.weeklyCount}
            onChange={(count) => change({ count })}
          />
        </>
      )}
    </>
  );
}

function MonthlyRetention({ form, refusals, onChange }: FieldsProps) {
  const change = (monthly: Partial<MonthRule>) => onChange({ monthly: { ...form.monthly, ...monthly } });
  return (
    <>
      <Checkbox
        label="Retention of monthly backup points"
        checked={form.monthly.isOn}
        onChange={(_event, { checked }) => change({ isOn: checked === true })}
      />
      {form.monthly.isOn && (
        <>
          <DaysOfMonth
            rule={form.monthly}
            points="monthly points"
            problem={refusals.monthlyDays}
            onChange={change}
          />
          <TextField
            label="Monthly backup points are kept for"
            unit="months"
            value={form.monthly.count}
            problem={refusals.monthlyCount}
            onChange={(count) => change({ count })}
          />
        </>
      )}
    </>
  );
}

function YearlyRetention({ form, refusals, onChange }: FieldsProps) {
  const change = (yearly: Partial<PolicyForm['yearly']>) =>
    onChange({ yearly: { ...form.yearly, ...yearly } });
  return (
    <>
      <Checkbox
        label="Retention of yearly backup points"
        checked={form.yearly.isOn}
        onChange={(_event, { checked }) => change({ isOn: checked === true })}
      />
      {form.yearly.isOn && (
        <>
          <ManyOf
            label="Months of the yearly points"
            choices={months}
            value={form.yearly.months}
            problem={refusals.yearlyMonths}
            onChange={(named) => change({ months: named })}
          />
          <DaysOfMonth
            rule={form.yearly}
            points="yearly points"
            problem={refusals.yearlyDays}
            onChange={change}
          />
          <TextField
            label="Yearly backup points are kept for"
            unit="years"
            value={form.yearly.count}
            problem={refusals.yearlyCount}
            onChange={(count) => change({ count })}
          />
        </>
      )}
    </>
  );
}

const dates = [...Array.from({ length: 31 }, (_, index) => String(index + 1)), lastDay];

interface DaysOfMonthProps {
  rule: MonthRule;
  /** What is kept, as the labels call it. */
  points: string;
  problem: string | undefined;
  onChange(change: Partial<MonthRule>): void;
}

/** The days of a month whose points a rule keeps, in either of Azure's formats. */
function DaysOfMonth({ rule, points, problem, onChange }: DaysOfMonthProps) {
  return (
    <>
      <Field label={`The ${points} are chosen by`}>
        <RadioGroup
          layout="horizontal"
          value={rule.format}
          onChange={(_event, { value }) => onChange({ format: value as MonthRule['format'] })}
        >
          <Radio value="Weekly" label="Week" />
          <Radio value="Daily" label="Day" />
        </RadioGroup>
      </Field>
      {rule.format === 'Daily' ? (
        <ManyOf
          label={`Days of the ${points}`}
          choices={dates}
          value={rule.dates}
          problem={problem}
          onChange={(chosen) => onChange({ dates: chosen })}
        />
      ) : (
        <>
          <ManyOf
            label={`Weeks of the ${points}`}
            choices={weeks}
            value={rule.weeks}
            onChange={(chosen) => onChange({ weeks: chosen })}
          />
          <ManyOf
            label={`Weekdays of the ${points}`}
            choices={weekdays}
            value={rule.weekdays}
            problem={problem}
            onChange={(chosen) => onChange({ weekdays: chosen })}
          />
        </>
      )}
    </>
  );
}
