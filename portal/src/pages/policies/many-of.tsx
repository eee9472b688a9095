import { Field, makeStyles, ToggleButton, tokens } from '@fluentui/react-components';

const useStyles = makeStyles({
  choices: {
    display: 'flex',
    flexWrap: 'wrap',
    gap: tokens.spacingHorizontalXS,
    margin: 0,
    padding: 0,
    minWidth: 0,
    border: 'none',
  },
  choice: { minWidth: '2.25rem' },
});

interface ManyOfProps {
  label: string;
  choices: readonly string[];
  value: readonly string[];
  problem?: string | undefined;
  onChange(value: string[]): void;
}

/** Some of a few words: each a button that stays pressed. They are kept in the order of `choices`. */
export function ManyOf({ label, choices, value, problem, onChange }: ManyOfProps) {
  const styles = useStyles();
  return (
    <Field label={label} validationMessage={problem} validationState={problem ? 'error' : 'none'}>
      {({ 'aria-labelledby': labelledBy, 'aria-describedby': describedBy }) => (
        <fieldset className={styles.choices} aria-labelledby={labelledBy} aria-describedby={describedBy}>
          {choices.map((choice) => {
            const isChosen = value.includes(choice);
            return (
              <ToggleButton
                key={choice}
                className={styles.choice}
                size="small"
                checked={isChosen}
                appearance={isChosen ? 'primary' : 'secondary'}
                onClick={() =>
                  onChange(choices.filter((each) => (each === choice ? !isChosen : value.includes(each))))
                }
              >
                {choice}
              </ToggleButton>
            );
          })}
        </fieldset>
      )}
    </Field>
  );
}
