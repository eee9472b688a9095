import { Field, Input, Select } from '@fluentui/react-components';
import { SearchRegular } from '@fluentui/react-icons';
import { useEffect, useState } from 'react';

/** So long nobody must have typed before the list is asked for anew. */
const quietMs = 300;

interface TextFilterProps {
  label: string;
  value: string | undefined;
  onChange(value: string | undefined): void;
}

/** Filters by part of a name, once its typing pauses. */
export function TextFilter({ label, value = '', onChange }: TextFilterProps) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    if (typed === value) return undefined;
    const timer = window.setTimeout(() => onChange(typed === '' ? undefined : typed), quietMs);
    return () => window.clearTimeout(timer);
  }, [typed, value, onChange]);
  return (
    <Field label={label}>
      <Input
        type="search"
        contentBefore={<SearchRegular />}
        value={typed}
        onChange={(_event, data) => setTyped(data.value)}
      />
    </Field>
  );
}

interface ChoiceFilterProps<Word extends string> {
  label: string;
  value: Word | undefined;
  choices: readonly (readonly [Word, string])[];
  /** What stands for no choice. Default: All. */
  all?: string;
  onChange(value: Word | undefined): void;
}

export function ChoiceFilter<Word extends string>(props: ChoiceFilterProps<Word>) {
  const { label, value, choices, all = 'All', onChange } = props;
  return (
    <Field label={label}>
      <Select
        value={value ?? ''}
        onChange={(_event, data) => onChange(choices.find(([word]) => word === data.value)?.[0])}
      >
        <option value="">{all}</option>
        {choices.map(([word, text]) => (
          <option key={word} value={word}>
            {text}
          </option>
        ))}
      </Select>
    </Field>
  );
}
