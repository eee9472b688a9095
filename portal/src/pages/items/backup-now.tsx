import { Button, Field, Input } from '@fluentui/react-components';
import { PlayRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import type { ItemAddress, ProtectedItem } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { localZone } from '../../parts/format.ts';
import { runJob } from '../../shell/notices.ts';
import { dateIn, dayEnd } from './days.ts';
import { isBackedUp } from './item-state.ts';

/** As Azure's page proposes. */
const usualDays = 30;

/** Takes a backup at once, kept until the end of a day that the person chooses. */
export function BackupNow({ at, item }: { at: ItemAddress; item: ProtectedItem }) {
  const [date, setDate] = useState(() => dateIn(usualDays));
  const until = dayEnd(date);
  const isReady = until !== undefined && until > Date.now();
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<PlayRegular />} disabled={!isBackedUp(item)}>
          Backup now
        </Button>
      }
      title="Backup now"
      confirm="OK"
      isReady={isReady}
      onConfirm={async () => {
        if (until === undefined) return;
        const recoveryPointExpiryTimeInUTC = new Date(until).toISOString();
        await runJob(`Backup of ${at.vm}`, at, () =>
          client.items.backup(at, {
            properties: { objectType: 'IaasVMBackupRequest', recoveryPointExpiryTimeInUTC },
          }),
        );
      }}
    >
      <Field
        label="Retain backup till"
        hint={`To the end of that day, ${localZone}`}
        validationMessage={isReady ? undefined : 'Choose a day from today on.'}
      >
        <Input type="date" min={dateIn(0)} value={date} onChange={(_event, { value }) => setDate(value)} />
      </Field>
    </AskDialog>
  );
}
