import type { Attention } from '../../../../src/api/client/browser.ts';
import { itemOf, itemParams, vaultOf, vaultParams } from '../../api/addresses.ts';
import { PageLink } from '../../parts/links.tsx';

/** The way to what needs attention. */
export function AttentionLink({ attention: { kind, name, resourceId } }: { attention: Attention }) {
  if (kind === 'HostUnreachable') return <PageLink to="/hosts">{name}</PageLink>;
  if (kind === 'VaultNotReady')
    return (
      <PageLink to="/vaults/$group/$vault" params={vaultParams(vaultOf(resourceId))}>
        {name}
      </PageLink>
    );
  return (
    <PageLink to="/vaults/$group/$vault/items/$vmGroup/$vm" params={itemParams(itemOf(resourceId))}>
      {name}
    </PageLink>
  );
}
