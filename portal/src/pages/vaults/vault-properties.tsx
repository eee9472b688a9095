import { makeStyles, Subtitle1, tokens } from '@fluentui/react-components';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { EditImmutability } from './edit-immutability.tsx';
import { EditSoftDelete } from './edit-soft-delete.tsx';

const useStyles = makeStyles({
  actions: { display: 'flex', flexWrap: 'wrap', gap: tokens.spacingHorizontalM },
});

const immutabilityWords = {
  Disabled: 'Disabled',
  Unlocked: 'Enabled, not locked: it can be switched off again',
  Locked: 'Enabled and locked: nobody can ever switch it off',
} as const;

export function VaultProperties({ vault }: { vault: Vault }) {
  const styles = useStyles();
  const { securitySettings, holdfast, redundancySettings } = vault.properties;
  const isReplicated = redundancySettings?.standardTierStorageRedundancy === 'GeoRedundant';
  const { softDeleteSettings, immutabilitySettings } = securitySettings;
  return (
    <>
      <Subtitle1 as="h2">Security</Subtitle1>
      <Essentials
        entries={[
          ['Immutability', immutabilityWords[immutabilitySettings.state]],
          [
            'Soft delete',
            softDeleteSettings.softDeleteState === 'AlwaysON'
              ? 'Always on: nobody can switch it off'
              : 'Enabled',
          ],
          ['Soft delete retention', `${softDeleteSettings.softDeleteRetentionPeriodInDays} days`],
          ['Encryption', holdfast.encryption.state],
          ['Key file', holdfast.encryption.keyFile && <code key="file">{holdfast.encryption.keyFile}</code>],
        ]}
      />
      <div className={styles.actions}>
        <EditImmutability vault={vault} />
        <EditSoftDelete vault={vault} />
      </div>
      <Subtitle1 as="h2">Store</Subtitle1>
      <Essentials
        entries={[
          [
            'Redundancy',
            isReplicated
              ? 'Geo-redundant: a replica holds a second copy'
              : 'Locally redundant: without a replica, this is the only copy',
          ],
          ['Place', <code key="place">{holdfast.storePath}</code>],
          ['Store id', <code key="id">{holdfast.storeId}</code>],
          ['Resource id', <code key="resource">{vault.id}</code>],
        ]}
      />
    </>
  );
}
