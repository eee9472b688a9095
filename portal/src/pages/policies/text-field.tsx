import { Field, Input } from '@fluentui/react-components';

interface TextFieldProps {
  label: string;
  value: string;
  onChange(value: string): void;
  problem?: string | undefined;
  hint?: string | undefined;
  /** What the number counts. */
  unit?: string;
  type?: 'text' | 'time';
  /** Id of a list of proposals. */
  list?: string;
  disabled?: boolean;
}

/** A text or a number, with what the service says of it. */
export function TextField({ label, value, onChange, problem, hint, unit, ...input }: TextFieldProps) {
  return (
    <Field
      label={label}
      hint={hint}
      validationMessage={problem}
      validationState={problem === undefined ? 'none' : 'error'}
    >
      <Input
        {...input}
        value={value}
        maxLength={150}
        autoComplete="off"
        inputMode={unit === undefined ? 'text' : 'numeric'}
        contentAfter={unit}
        onChange={(_event, data) => onChange(data.value)}
      />
    </Field>
  );
}
