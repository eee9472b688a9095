import type { VaultAddress } from '../../../../src/api/client/browser.ts';
import type { Crumb } from '../../parts/page.tsx';

const addressOf = ({ resourceGroup, vault }: VaultAddress) =>
  `/vaults/${encodeURIComponent(resourceGroup)}/${encodeURIComponent(vault)}`;

/** The way to the policies of a vault, and to one of them. */
export const policyCrumbs = (at: VaultAddress, policy?: string): Crumb[] => [
  { text: 'Vaults', to: '/vaults' },
  { text: at.vault, to: addressOf(at) },
  { text: 'Backup policies', to: `${addressOf(at)}?tab=policies` },
  ...(policy === undefined
    ? []
    : [{ text: policy, to: `${addressOf(at)}/policies/${encodeURIComponent(policy)}` }]),
];
