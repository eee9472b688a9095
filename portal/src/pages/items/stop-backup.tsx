import { Button, Radio, RadioGroup } from '@fluentui/react-components';
import { StopRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ItemAddress, ProtectedItem } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { counted } from '../../parts/format.ts';
import { TypedName } from '../../parts/typed-name.tsx';
import { runJob } from '../../shell/notices.ts';
import { isBackedUp, stateOf } from './item-state.ts';

type Way = 'retain' | 'suspend' | 'delete';

/** Stops protection: keeps the data for ever, or as the policy says where the vault is immutable, or deletes it. */
export function StopBackup({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  const vault = useQuery({ queryKey: keys.vault(at), queryFn: () => client.vaults.get(at) });
  const [chosen, setWay] = useState<Way>('retain');
  const [typed, setTyped] = useState('');
  const { friendlyName: name, holdfast, sourceResourceId } = item.properties;
  const security = vault.data?.properties.securitySettings;
  const isImmutable = security !== undefined && security.immutabilitySettings.state !== 'Disabled';
  const days = security?.softDeleteSettings.softDeleteRetentionPeriodInDays;
  const active = isBackedUp(item);
  // Of what is stopped already only the data can be deleted.
  const way = active ? chosen : 'delete';

  const stop = async () => {
    const protectedItemType = 'Microsoft.Compute/virtualMachines' as const;
    const protectionState =
      way === 'suspend' ? ('BackupsSuspended' as const) : ('ProtectionStopped' as const);
    await runJob(way === 'delete' ? `Delete backup data of ${name}` : `Stop backup of ${name}`, at, () =>
      way === 'delete'
        ? client.items.delete(at)
        : client.items.put(at, { properties: { protectedItemType, sourceResourceId, protectionState } }),
    );
    setTyped('');
  };
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<StopRegular />} disabled={stateOf(item) === 'SoftDeleted'}>
          {active ? 'Stop backup' : 'Delete backup data'}
        </Button>
      }
      title={active ? `Stop backup of ${name}` : `Delete backup data of ${name}`}
      confirm={way === 'delete' ? 'Delete backup data' : 'Stop backup'}
      isReady={way !== 'delete' || typed === name}
      onConfirm={stop}
    >
      {active && (
        <RadioGroup value={way} onChange={(_event, { value }) => setWay(value as Way)}>
          <Radio value="retain" label="Retain backup data for ever" />
          {isImmutable && <Radio value="suspend" label="Retain backup data as per policy" />}
          <Radio value="delete" label="Delete backup data" disabled={isImmutable} />
        </RadioGroup>
      )}
      {way === 'delete' && (
        <>
          <p>
            {counted(holdfast.recoveryPoints, 'recovery point')} will be deleted
            {days === undefined
              ? '.'
              : `; for ${counted(days, 'day')} they can be brought back, then they are gone for good.`}
          </p>
          <TypedName kind="item" name={name} value={typed} onChange={setTyped} />
        </>
      )}
    </AskDialog>
  );
}
