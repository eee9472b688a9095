import type { VaultAddress } from '../api/client/index.ts';
import type { Call } from './call.ts';

/** The vault that a command names as its argument. */
export function vaultAddress(call: Call): VaultAddress {
  return { resourceGroup: call.resourceGroup, vault: call.name };
}
