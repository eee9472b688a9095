import {
  Button,
  Checkbox,
  Field,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  SpinButton,
} from '@fluentui/react-components';
import { EditRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { TypedName } from '../../parts/typed-name.tsx';
import { useVaultUpdate } from './vault-update.ts';

/** Says how long deleted data can be brought back, and that nobody may ever change that it can. */
export function EditSoftDelete({ vault }: { vault: Vault }) {
  const { softDeleteState, softDeleteRetentionPeriodInDays } =
    vault.properties.securitySettings.softDeleteSettings;
  const isAlwaysOn = softDeleteState === 'AlwaysON';
  const [chosenDays, setDays] = useState<string>();
  const [lock, setLock] = useState(false);
  const [typed, setTyped] = useState('');
  const update = useVaultUpdate(vault);
  const days = Number(chosenDays ?? softDeleteRetentionPeriodInDays);
  const locks = lock && !isAlwaysOn;
  const isChanged = locks || days !== softDeleteRetentionPeriodInDays;
  const save = async () => {
    await update({
      softDeleteSettings: {
        softDeleteRetentionPeriodInDays: days,
        ...(locks ? { softDeleteState: 'AlwaysON' } : {}),
      },
    });
    setDays(undefined);
    setLock(false);
    setTyped('');
  };
  return (
    <AskDialog
      trigger={<Button icon={<EditRegular />}>Change soft delete</Button>}
      title={`Soft delete of vault ${vault.name}`}
      confirm={locks ? 'Save, always on for ever' : 'Save'}
      isReady={isChanged && Number.isInteger(days) && (!locks || typed === vault.name)}
      onConfirm={save}
    >
      <p>Deleted backup data waits for this time, and can be brought back until it is over.</p>
      <Field label="Days" required hint="14 to 180. What is deleted already keeps the time it had.">
        <SpinButton
          value={Number.isFinite(days) ? days : null}
          displayValue={chosenDays ?? String(softDeleteRetentionPeriodInDays)}
          min={14}
          max={180}
          onChange={(_event, { value, displayValue }) => setDays(displayValue ?? String(value ?? ''))}
        />
      </Field>
      <Checkbox
        label="Always on"
        checked={isAlwaysOn || lock}
        disabled={isAlwaysOn}
        onChange={(_event, { checked }) => setLock(checked === true)}
      />
      {locks && (
        <>
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>This can never be undone.</MessageBarTitle> Nobody can take it back, no Owner
              and not the local administrator.
            </MessageBarBody>
          </MessageBar>
          <TypedName kind="vault" name={vault.name} value={typed} onChange={setTyped} />
        </>
      )}
    </AskDialog>
  );
}
