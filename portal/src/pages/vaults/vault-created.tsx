import {
  Button,
  Checkbox,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  tokens,
} from '@fluentui/react-components';
import { CopyRegular } from '@fluentui/react-icons';
import { useBlocker } from '@tanstack/react-router';
import { useState } from 'react';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { vaultOf, vaultParams } from '../../api/addresses.ts';
import { PageButton } from '../../parts/links.tsx';

const useStyles = makeStyles({
  key: {
    display: 'block',
    padding: tokens.spacingHorizontalM,
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase400,
    backgroundColor: tokens.colorNeutralBackground3,
    overflowWrap: 'anywhere',
    userSelect: 'all',
  },
  actions: { display: 'flex', flexWrap: 'wrap', columnGap: tokens.spacingHorizontalM },
});

/** After a vault was made: its recovery key, which nobody can ask for again, and where to go on. */
export function VaultCreated({ vault }: { vault: Vault }) {
  const styles = useStyles();
  const { recoveryKey, keyFile } = vault.properties.holdfast.encryption;
  const [isKept, setIsKept] = useState(recoveryKey === undefined);
  useBlocker({
    shouldBlockFn: () =>
      !isKept && !window.confirm('The recovery key is not shown again. Leave without having kept it?'),
    enableBeforeUnload: () => !isKept,
  });
  return (
    <>
      <MessageBar intent="success">
        <MessageBarBody>The vault was created.</MessageBarBody>
      </MessageBar>
      {recoveryKey !== undefined && (
        <>
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>Keep the recovery key now.</MessageBarTitle> It is shown this once. Without it
              and without the key file {keyFile !== undefined && <code>{keyFile}</code>} nobody can restore
              from the vault.
            </MessageBarBody>
          </MessageBar>
          <code className={styles.key} data-testid="recovery-key">
            {recoveryKey}
          </code>
          <div className={styles.actions}>
            <Button icon={<CopyRegular />} onClick={() => void navigator.clipboard.writeText(recoveryKey)}>
              Copy
            </Button>
            <Checkbox
              label="I have kept the recovery key in a safe place"
              checked={isKept}
              onChange={(_event, { checked }) => setIsKept(checked === true)}
            />
          </div>
        </>
      )}
      {isKept && (
        <div className={styles.actions}>
          <PageButton to="/machines" search={{ state: 'NotProtected' }} appearance="primary">
            Choose what to protect
          </PageButton>
          <PageButton to="/vaults/$group/$vault" params={vaultParams(vaultOf(vault.id))}>
            Go to the vault
          </PageButton>
        </div>
      )}
    </>
  );
}
