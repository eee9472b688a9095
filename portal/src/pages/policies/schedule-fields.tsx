import { Field, Select } from '@fluentui/react-components';
import { ManyOf } from './many-of.tsx';
import type { PolicyForm } from './policy-form.ts';
import type { FieldRefusals } from './policy-refusals.ts';
import { TextField } from './text-field.tsx';
import { timeZoneNames } from './time-zones.ts';
import { intervals, weekdays } from './words.ts';

export interface FieldsProps {
  form: PolicyForm;
  refusals: FieldRefusals;
  onChange(change: Partial<PolicyForm>): void;
}

const zonesId = 'policy-time-zones';

/** When a policy backs up. */
export function ScheduleFields({ form, refusals, onChange }: FieldsProps) {
  const isHourly = form.frequency === 'Hourly';
  return (
    <>
      <Field
        label="Frequency"
        validationMessage={refusals.frequency}
        validationState={refusals.frequency === undefined ? 'none' : 'error'}
      >
        <Select
          value={form.frequency}
          onChange={(_event, { value }) => onChange({ frequency: value as PolicyForm['frequency'] })}
        >
          {form.policyType === 'V2' && <option>Hourly</option>}
          <option>Daily</option>
          <option>Weekly</option>
        </Select>
      </Field>
      {form.frequency === 'Weekly' && (
        <ManyOf
          label="Days of the backup"
          choices={weekdays}
          value={form.days}
          problem={refusals.days}
          onChange={(days) => onChange({ days })}
        />
      )}
      <TextField
        label={isHourly ? 'Start time' : 'Time'}
        type="time"
        value={form.time}
        problem={refusals.time}
        onChange={(time) => onChange({ time })}
      />
      {isHourly && (
        <>
          <Field
            label="Schedule"
            validationMessage={refusals.intervalHours}
            validationState={refusals.intervalHours === undefined ? 'none' : 'error'}
          >
            <Select
              value={form.intervalHours}
              onChange={(_event, { value }) => onChange({ intervalHours: value })}
            >
              {intervals.map((hours) => (
                <option key={hours} value={hours}>
                  Every {hours} hours
                </option>
              ))}
            </Select>
          </Field>
          <TextField
            label="Duration"
            unit="hours"
            value={form.windowHours}
            problem={refusals.windowHours}
            hint="Backups are made this long after the start, every day."
            onChange={(windowHours) => onChange({ windowHours })}
          />
        </>
      )}
      <TextField
        label="Time zone"
        list={zonesId}
        value={form.timeZone}
        problem={refusals.timeZone}
        hint="A Windows or an IANA name. Times hold across changes of its clocks."
        onChange={(timeZone) => onChange({ timeZone })}
      />
      <datalist id={zonesId}>
        {timeZoneNames.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** How long snapshots stay on the host, and how the guest is treated when one is taken. */
export function SnapshotFields({ form, refusals, onChange }: FieldsProps) {
  const isFixed = form.policyType === 'V1' && form.frequency === 'Weekly';
  return (
    <>
      <TextField
        label="Retain instant recovery snapshots for"
        unit="days"
        disabled={isFixed}
        value={isFixed ? '5' : form.instantDays}
        problem={refusals.instantDays}
        hint={isFixed ? 'It is fixed for a weekly Standard policy.' : undefined}
        onChange={(instantDays) => onChange({ instantDays })}
      />
      {form.policyType === 'V2' && (
        <Field
          label="Consistency type"
          validationMessage={refusals.crashConsistent}
          validationState={refusals.crashConsistent === undefined ? 'none' : 'error'}
        >
          <Select
            value={form.crashConsistent ? 'crash' : 'application'}
            onChange={(_event, { value }) => onChange({ crashConsistent: value === 'crash' })}
          >
            <option value="application">Application or file-system consistent snapshot</option>
            <option value="crash">Only crash consistent snapshot</option>
          </Select>
        </Field>
      )}
    </>
  );
}
