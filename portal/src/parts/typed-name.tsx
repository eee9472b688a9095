import { Field, Input } from '@fluentui/react-components';

interface TypedNameProps {
  /** What is named: `vault`. */
  kind: string;
  name: string;
  value: string;
  onChange(value: string): void;
}

/** Where the name of something must be typed before what can't be taken back is done to it. */
export function TypedName({ kind, name, value, onChange }: TypedNameProps) {
  return (
    <Field label={`Type the name of the ${kind}, ${name}`} required>
      <Input value={value} autoComplete="off" onChange={(_event, data) => onChange(data.value)} />
    </Field>
  );
}
