import { Button, Field, Select } from '@fluentui/react-components';
import { ArrowResetRegular, ArrowUndoRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ItemAddress, ProtectedItem } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { Problem } from '../../parts/problem.tsx';
import { runJob } from '../../shell/notices.ts';
import { isBackedUp, stateOf } from './item-state.ts';

const protectedItemType = 'Microsoft.Compute/virtualMachines' as const;

/** The way back: undelete what is soft-deleted, resume what is stopped, or give what is backed up another policy. */
export function ReviveItem({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  return stateOf(item) === 'SoftDeleted' ? (
    <Undelete at={at} item={item} />
  ) : (
    <ChoosePolicy at={at} item={item} />
  );
}

function Undelete({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  const { friendlyName: name, sourceResourceId } = item.properties;
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<ArrowUndoRegular />}>
          Undelete
        </Button>
      }
      title={`Undelete ${name}`}
      confirm="Undelete"
      onConfirm={async () => {
        const properties = { protectedItemType, sourceResourceId, isRehydrate: true };
        await runJob(`Undelete ${name}`, at, () => client.items.put(at, { properties }));
      }}
    >
      All its recovery points come back. Backups stay stopped, and the points are kept for ever, until you
      resume backup.
    </AskDialog>
  );
}

function ChoosePolicy({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  const { friendlyName: name, sourceResourceId, policyId } = item.properties;
  const active = isBackedUp(item);
  const policies = useQuery({ queryKey: keys.policies(at), queryFn: () => client.policies.list(at) });
  const [chosen, choose] = useState<string>();
  const policy =
    chosen ??
    policies.data?.find(({ id }) => id.toLowerCase() === policyId?.toLowerCase())?.id ??
    policies.data?.[0]?.id;
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<ArrowResetRegular />}>
          {active ? 'Change policy' : 'Resume backup'}
        </Button>
      }
      title={active ? `Change policy of ${name}` : `Resume backup of ${name}`}
      confirm={active ? 'Save' : 'Resume backup'}
      isReady={policy !== undefined && (!active || policy.toLowerCase() !== policyId?.toLowerCase())}
      onConfirm={async () => {
        if (policy === undefined) return;
        const properties = { protectedItemType, sourceResourceId, policyId: policy };
        const title = active ? `Change policy of ${name}` : `Resume backup of ${name}`;
        await runJob(title, at, () => client.items.put(at, { properties }));
      }}
    >
      {policies.error !== null && <Problem error={policies.error} onRetry={() => void policies.refetch()} />}
      <Field label="Policy">
        <Select value={policy ?? ''} onChange={(_event, { value }) => choose(value)}>
          {(policies.data ?? []).map(({ id, name: policyName, properties }) => (
            <option key={id} value={id}>
              {policyName} ({properties.policyType === 'V2' ? 'Enhanced' : 'Standard'})
            </option>
          ))}
        </Select>
      </Field>
    </AskDialog>
  );
}
