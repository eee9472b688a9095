import { useQueryClient } from '@tanstack/react-query';
import type { Vault, VaultUpdate } from '../../../../src/api/client/browser.ts';
import { vaultOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';

type Security = NonNullable<NonNullable<VaultUpdate['properties']>['securitySettings']>;

/** Changes what is named of the security of a vault, and has it shown; also where it was refused: it may be another by now. */
export function useVaultUpdate(vault: Vault): (security: Security) => Promise<void> {
  const queries = useQueryClient();
  return async (securitySettings) => {
    try {
      await client.vaults.update(vaultOf(vault.id), { properties: { securitySettings } });
    } finally {
      await queries.invalidateQueries({ queryKey: keys.vaults });
    }
  };
}
