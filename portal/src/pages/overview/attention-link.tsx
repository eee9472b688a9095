import type { Attention } from '../../../../src/api/client/browser.ts';
import { itemOf, itemParams, vaultOf, vaultParams } from '../../api/addresses.ts';
import { PageLink } from '../../parts/links.tsx';

/** What is told of a vault as a whole, or of a job in it. */
const isOfVault = new Set<Attention['kind']>([
  'VaultNotReady',
  'JobFailed',
  'RecoveryPointsDamaged',
  'VerificationOverdue',
  'StoreNearlyFull',
]);

/** The way to what needs attention. */
export function AttentionLink({ attention: { kind, name, resourceId } }: { attention: Attention }) {
  if (kind === 'HostUnreachable') return <PageLink to="/hosts">{name}</PageLink>;
  if (kind === 'GuestNotThawed') return <PageLink to="/machines">{name}</PageLink>;
  if (isOfVault.has(kind))
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
