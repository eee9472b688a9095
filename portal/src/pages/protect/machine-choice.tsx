import { Checkbox } from '@fluentui/react-components';
import { useState } from 'react';
import type { PreValidateAnswer } from '../../../../src/api/client/browser.ts';
import type { RowSource } from '../../api/lists.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { TextFilter } from '../../parts/filters.tsx';
import { Status } from '../../parts/status.tsx';
import { type Candidate, maxAtOnce, type SubType } from './candidates.ts';

/** What the service says of a VM that was chosen; undefined while it is being asked. */
export type Verdict = PreValidateAnswer | { status: 'Unknown' } | undefined;

interface MachineChoiceProps {
  source: RowSource<Candidate>;
  subType: SubType;
  chosen: ReadonlySet<string>;
  verdicts: ReadonlyMap<string, Verdict>;
  onChoose(id: string, isChosen: boolean): void;
}

/** The VMs that the vault could protect, to choose from. */
export function MachineChoice({ source, subType, chosen, verdicts, onChoose }: MachineChoiceProps) {
  const [name, setName] = useState<string>();
  const part = name?.toLowerCase() ?? '';
  const isFull = chosen.size >= maxAtOnce;
  const columns: Column<Candidate>[] = [
    {
      key: 'name',
      title: 'Name',
      grow: 2,
      render: (machine) => (
        <Checkbox
          label={machine.name}
          checked={chosen.has(machine.id)}
          disabled={!chosen.has(machine.id) && (isFull || (subType === 'V1' && machine.zone !== undefined))}
          onChange={(_event, { checked }) => onChoose(machine.id, checked === true)}
        />
      ),
    },
    { key: 'group', title: 'Resource group', render: (machine) => machine.group },
    { key: 'host', title: 'Host', render: (machine) => machine.host ?? '' },
    { key: 'zone', title: 'Extended zone', render: (machine) => machine.zone ?? 'None' },
    {
      key: 'check',
      title: 'Validation',
      render: ({ id }) => {
        if (!chosen.has(id)) return '';
        const verdict = verdicts.get(id);
        if (verdict === undefined) return <Status tone="busy">Validating</Status>;
        if (verdict.status === 'Succeeded') return <Status tone="good">Passed</Status>;
        return <Status tone="bad">{verdict.status === 'Failed' ? 'Failed' : 'Not answered'}</Status>;
      },
    },
  ];
  return (
    <DataTable
      id="protectable"
      label="Virtual machines"
      columns={columns}
      source={{ ...source, rows: source.rows.filter((row) => row.name.toLowerCase().includes(part)) }}
      rowKey={(machine) => machine.id}
      filters={<TextFilter label="Name" value={name} onChange={setName} />}
      empty={
        part === '' ? (
          <Empty title="There is no VM to protect">
            Of the vault’s region, all VMs are protected already, or wait for the end of their soft delete.
          </Empty>
        ) : (
          <Empty title="No VM matches the filter" />
        )
      }
    />
  );
}
