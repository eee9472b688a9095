import {
  Button,
  MessageBar,
  MessageBarBody,
  makeStyles,
  Radio,
  RadioGroup,
} from '@fluentui/react-components';
import { useState } from 'react';
import type { RecoveryPoint } from '../../../../src/api/client/browser.ts';
import { ChoiceFilter } from '../../parts/filters.tsx';
import { formatBytes } from '../../parts/format.ts';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { type Consistency, consistencies, consistencyWord, sizeOf, tiersOf } from '../items/point-words.ts';

/** So many are shown before more are asked for. */
const shownAtFirst = 50;

const useStyles = makeStyles({ filter: { maxWidth: '16rem' } });

interface PointStepProps {
  /** Newest first. */
  points: readonly RecoveryPoint[];
  chosen: RecoveryPoint | undefined;
  onChoose(name: string): void;
  onNext(): void;
}

export function PointStep({ points, chosen, onChoose, onNext }: PointStepProps) {
  const styles = useStyles();
  const [consistency, setConsistency] = useState<Consistency>();
  const [count, setCount] = useState(shownAtFirst);
  const fitting = points.filter(
    ({ properties }) => consistency === undefined || properties.recoveryPointType === consistency,
  );
  return (
    <>
      {chosen === undefined && (
        <MessageBar intent="warning">
          <MessageBarBody>The recovery point is not there any more. Choose another.</MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.filter}>
        <ChoiceFilter<Consistency>
          label="Consistency"
          value={consistency}
          choices={consistencies}
          onChange={setConsistency}
        />
      </div>
      <RadioGroup
        aria-label="Restore point"
        value={chosen?.name ?? ''}
        onChange={(_event, { value }) => onChoose(value)}
      >
        <PlainTable
          label="Restore points"
          columns={['Time', 'Consistency', 'Recovery type', 'Size', 'State']}
          minWidth="44rem"
        >
          {fitting.slice(0, count).map((point) => {
            const { recoveryPointTime: at, recoveryPointType, holdfast } = point.properties;
            return (
              <tr key={point.name}>
                <td>
                  <Radio value={point.name} label={<Time at={at} />} />
                </td>
                <td>{consistencyWord(recoveryPointType)}</td>
                <td>{tiersOf(point)}</td>
                <td>{formatBytes(sizeOf(point))}</td>
                <td>
                  {holdfast.damaged === true ? (
                    <Status tone="bad">Damaged</Status>
                  ) : (
                    <Status tone="good">Good</Status>
                  )}
                </td>
              </tr>
            );
          })}
        </PlainTable>
      </RadioGroup>
      {fitting.length === 0 && <p>No point is of that consistency.</p>}
      <div>
        {fitting.length > count && (
          <Button onClick={() => setCount(count + shownAtFirst)}>Show older points</Button>
        )}{' '}
        <Button appearance="primary" disabled={chosen === undefined} onClick={onNext}>
          Next: Restore configuration
        </Button>
      </div>
    </>
  );
}
