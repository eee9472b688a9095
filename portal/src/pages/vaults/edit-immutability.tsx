import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  Radio,
  RadioGroup,
} from '@fluentui/react-components';
import { EditRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { TypedName } from '../../parts/typed-name.tsx';
import { useVaultUpdate } from './vault-update.ts';

type Immutability = Vault['properties']['securitySettings']['immutabilitySettings']['state'];

/** Switches immutability on and off, and locks it. */
export function EditImmutability({ vault }: { vault: Vault }) {
  const is = vault.properties.securitySettings.immutabilitySettings.state;
  const [chosen, setChosen] = useState<Immutability>();
  const [typed, setTyped] = useState('');
  const update = useVaultUpdate(vault);
  const state = chosen ?? is;
  const locks = state === 'Locked' && is !== 'Locked';
  const save = async () => {
    await update({ immutabilitySettings: { state } });
    setChosen(undefined);
    setTyped('');
  };
  return (
    <AskDialog
      trigger={
        <Button icon={<EditRegular />} disabled={is === 'Locked'}>
          {is === 'Locked' ? 'Immutability is locked' : 'Change immutability'}
        </Button>
      }
      title={`Immutability of vault ${vault.name}`}
      confirm={locks ? 'Lock for ever' : 'Save'}
      isReady={state !== is && (!locks || typed === vault.name)}
      onConfirm={save}
    >
      <p>
        An immutable vault refuses whatever would lose recovery points before their time: deleting them or
        their items, and shorter retention.
      </p>
      <RadioGroup
        aria-label="Immutability"
        value={state}
        onChange={(_event, { value }) => setChosen(value as Immutability)}
      >
        <Radio value="Disabled" label="Disabled" />
        <Radio value="Unlocked" label="Enabled: it can be switched off again" />
        <Radio
          value="Locked"
          disabled={is === 'Disabled'}
          label={
            is === 'Disabled' ? 'Enabled and locked: possible once it has been enabled' : 'Enabled and locked'
          }
        />
      </RadioGroup>
      {locks && (
        <>
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>This can never be undone.</MessageBarTitle> Once locked, nobody can switch
              immutability off, no Owner and not the local administrator. Recovery points keep their space
              until their time is over, whatever it costs, and the vault can't be deleted before.
            </MessageBarBody>
          </MessageBar>
          <TypedName kind="vault" name={vault.name} value={typed} onChange={setTyped} />
        </>
      )}
    </AskDialog>
  );
}
