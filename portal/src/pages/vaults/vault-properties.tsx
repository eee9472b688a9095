import { Subtitle1 } from '@fluentui/react-components';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { Essentials } from '../../parts/essentials.tsx';

const immutabilityWords = {
  Disabled: 'Disabled',
  Unlocked: 'Enabled, not locked: it can be switched off again',
  Locked: 'Enabled and locked: nobody can ever switch it off',
} as const;

export function VaultProperties({ vault }: { vault: Vault }) {
  const { securitySettings, holdfast } = vault.properties;
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
      <Subtitle1 as="h2">Store</Subtitle1>
      <Essentials
        entries={[
          ['Place', <code key="place">{holdfast.storePath}</code>],
          ['Store id', <code key="id">{holdfast.storeId}</code>],
          ['Resource id', <code key="resource">{vault.id}</code>],
        ]}
      />
    </>
  );
}
