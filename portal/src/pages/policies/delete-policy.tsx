import { Button } from '@fluentui/react-components';
import { DeleteRegular } from '@fluentui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { Policy, VaultAddress } from '../../../../src/api/client/browser.ts';
import { vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { AskDialog } from '../../parts/ask-dialog.tsx';
import { counted } from '../../parts/format.ts';
import { addNotice } from '../../shell/notices.ts';

/** Deletes a policy; the service refuses that for one that items are under. */
export function DeletePolicy({ at, policy }: { at: VaultAddress; policy: Policy }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { name } = policy;
  const items = policy.properties.protectedItemsCount;
  return (
    <AskDialog
      trigger={
        <Button appearance="subtle" icon={<DeleteRegular />}>
          Delete
        </Button>
      }
      title={`Delete policy ${name}`}
      confirm="Delete"
      onConfirm={async () => {
        await client.policies.delete(at, name);
        addNotice({ title: `Delete policy ${name}`, state: 'done' });
        await navigate({
          to: '/vaults/$group/$vault',
          params: vaultParams(at),
          search: { tab: 'policies' },
        });
        await queries.invalidateQueries({ queryKey: keys.policies(at) });
      }}
    >
      {items === 0
        ? 'No item is under it.'
        : `${counted(items, 'item')} ${items === 1 ? 'is' : 'are'} under it: give them another policy first.`}
    </AskDialog>
  );
}
