import { Button, Field, makeStyles, Radio, RadioGroup, Subtitle2, tokens } from '@fluentui/react-components';
import { type FormEvent, type ReactNode, useMemo } from 'react';
import type { VaultAddress } from '../../../../src/api/client/browser.ts';
import { currentMonth } from './month.ts';
import { type PolicyForm, propertiesOf } from './policy-form.ts';
import { PolicyPreview, usePolicyPreview } from './policy-preview.tsx';
import { fieldRefusals } from './policy-refusals.ts';
import { RetentionFields } from './retention-fields.tsx';
import { ScheduleFields, SnapshotFields } from './schedule-fields.tsx';
import { useSettled } from './settled.ts';
import { TextField } from './text-field.tsx';

const useStyles = makeStyles({
  root: {
    display: 'grid',
    gridTemplateColumns: 'minmax(18rem, 26rem) minmax(0, 1fr)',
    columnGap: tokens.spacingHorizontalXXXL,
    rowGap: tokens.spacingVerticalXL,
    '@media (max-width: 1000px)': { gridTemplateColumns: 'minmax(0, 1fr)' },
  },
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalM, minWidth: 0 },
  beside: {
    display: 'flex',
    flexDirection: 'column',
    rowGap: tokens.spacingVerticalXL,
    minWidth: 0,
    // Beside the fields it stays in sight while they are changed.
    alignSelf: 'start',
    position: 'sticky',
    top: tokens.spacingVerticalM,
    '@media (max-width: 1000px)': { position: 'static' },
  },
  submit: { alignSelf: 'start' },
});

interface PolicyEditorProps {
  at: VaultAddress;
  name: string;
  /** Absent: the policy has its name already. */
  onName?: (name: string) => void;
  /** The sub type it has, where it may no longer be another. */
  savedType?: PolicyForm['policyType'] | undefined;
  form: PolicyForm;
  onForm(form: PolicyForm): void;
  /** Why the last try to save was refused. */
  error: unknown;
  confirm: string;
  isBusy: boolean;
  onSave(): void;
  /** What is said of the last try to save. */
  notice?: ReactNode;
  /** What else is shown of the policy as it stands in the fields. */
  effect?: (policyProperties: unknown) => ReactNode;
}

/** All settings of a policy; what the service would say of them stands at each field, as one types. */
export function PolicyEditor(props: PolicyEditorProps) {
  const { at, name, onName, savedType, form, onForm, error, confirm, isBusy, onSave, notice, effect } = props;
  const styles = useStyles();
  const typed = useMemo(() => ({ policyName: name, policyProperties: propertiesOf(form) }), [name, form]);
  const settled = useSettled(typed);
  const judged = usePolicyPreview({ at, ...settled }, currentMonth());
  // The refusal of the last save stands until the service has judged what was typed since.
  const refusals = { ...fieldRefusals(error), ...fieldRefusals(judged.error) };
  const fields = {
    form,
    refusals,
    onChange: (change: Partial<PolicyForm>) => onForm({ ...form, ...change }),
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave();
  };
  return (
    <div className={styles.root}>
      <form className={styles.form} onSubmit={submit} noValidate aria-label="Policy">
        {onName !== undefined && (
          <TextField
            label="Policy name"
            value={name}
            problem={refusals.name}
            hint="3 to 150 letters, digits, -, _ and !, the first a letter"
            onChange={onName}
          />
        )}
        <Field
          label="Policy sub type"
          validationMessage={refusals.policyType}
          validationState={refusals.policyType === undefined ? 'none' : 'error'}
          hint={savedType === 'V2' ? 'An Enhanced policy never becomes a Standard one.' : undefined}
        >
          <RadioGroup
            layout="horizontal"
            value={form.policyType}
            onChange={(_event, { value }) =>
              fields.onChange({
                policyType: value === 'V1' ? 'V1' : 'V2',
                ...(value === 'V1' && {
                  crashConsistent: false,
                  ...(form.frequency === 'Hourly' && { frequency: 'Daily' }),
                }),
              })
            }
          >
            <Radio value="V1" label="Standard" disabled={savedType === 'V2'} />
            <Radio value="V2" label="Enhanced" />
          </RadioGroup>
        </Field>
        <Subtitle2 as="h2">Backup schedule</Subtitle2>
        <ScheduleFields {...fields} />
        <Subtitle2 as="h2">Instant restore</Subtitle2>
        <SnapshotFields {...fields} />
        <Subtitle2 as="h2">Retention range</Subtitle2>
        <RetentionFields {...fields} />
        {notice}
        <Button className={styles.submit} type="submit" appearance="primary" disabled={isBusy || name === ''}>
          {confirm}
        </Button>
      </form>
      <div className={styles.beside}>
        <PolicyPreview at={at} {...settled} />
        {effect?.(settled.policyProperties)}
      </div>
    </div>
  );
}
