import { Button } from '@fluentui/react-components';
import { DeleteRegular } from '@fluentui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { vaultOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { TypedName } from '../../parts/typed-name.tsx';
import { addNotice } from '../../shell/notices.ts';

/** Deletes a vault that protects nothing any more. */
export function DeleteVault({ vault }: { vault: Vault }) {
  const [typed, setTyped] = useState('');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = async () => {
    const at = vaultOf(vault.id);
    await client.vaults.delete(at);
    addNotice({ title: `Vault ${vault.name} was deleted`, state: 'done' });
    await navigate({ to: '/vaults' });
    queries.removeQueries({ queryKey: keys.vault(at) });
    await Promise.all([
      queries.invalidateQueries({ queryKey: keys.vaults }),
      queries.invalidateQueries({ queryKey: keys.overview }),
    ]);
  };
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<DeleteRegular />}>
          Delete
        </Button>
      }
      title={`Delete vault ${vault.name}`}
      confirm="Delete"
      isReady={typed === vault.name}
      onConfirm={remove}
    >
      <p>
        A vault can be deleted once it has no backup items, soft-deleted ones included. Its policies and the
        roles that were given at it go with it. The files of its store stay at{' '}
        <code>{vault.properties.holdfast.storePath}</code>.
      </p>
      <TypedName kind="vault" name={vault.name} value={typed} onChange={setTyped} />
    </AskDialog>
  );
}
