import { MessageBar, MessageBarBody } from '@fluentui/react-components';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { groupOf, vaultOf, vaultParams } from '../../api/addresses.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { formatBytes } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { StateStatus } from '../../parts/status.tsx';
import { Figure, Tile, Tiles } from '../../parts/tile.tsx';

export function VaultOverview({ vault }: { vault: Vault }) {
  const { holdfast, securitySettings } = vault.properties;
  const params = vaultParams(vaultOf(vault.id));
  return (
    <>
      {holdfast.statusMessage !== undefined && (
        <MessageBar intent={holdfast.status === 'Ready' ? 'warning' : 'error'} layout="multiline">
          <MessageBarBody>{holdfast.statusMessage}</MessageBarBody>
        </MessageBar>
      )}
      <Essentials
        entries={[
          ['Status', <StateStatus key="status" state={holdfast.status} />],
          ['Resource group', groupOf(vault.id)],
          ['Region', vault.location],
          ['Store', <code key="store">{holdfast.storePath}</code>],
          ['Encryption', holdfast.encryption.state],
          ['Immutability', securitySettings.immutabilitySettings.state],
          ['Soft delete', `${securitySettings.softDeleteSettings.softDeleteRetentionPeriodInDays} days`],
        ]}
      />
      <Tiles>
        <Tile title="Backup items">
          <Figure value={holdfast.protectedItems.toLocaleString()}>
            <PageLink to="/vaults/$group/$vault" params={params} search={{ tab: 'items' }}>
              Virtual machines
            </PageLink>
          </Figure>
          <Figure value={holdfast.recoveryPoints?.toLocaleString() ?? '–'}>Recovery points</Figure>
        </Tile>
        <Tile title="Storage">
          <Figure value={holdfast.storedBytes === undefined ? '–' : formatBytes(holdfast.storedBytes)}>
            Used
          </Figure>
          <Figure value={holdfast.uniqueBytes === undefined ? '–' : formatBytes(holdfast.uniqueBytes)}>
            Content before compression
          </Figure>
        </Tile>
      </Tiles>
    </>
  );
}
