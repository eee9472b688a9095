import {
  Field,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  Radio,
  RadioGroup,
  Spinner,
} from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import type { Policy, VaultAddress } from '../../../../src/api/client/browser.ts';
import { vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { policyCrumbs } from './crumbs.ts';
import { useEditEffect } from './edit-effect.tsx';
import { MoveByEdit } from './move-by-edit.tsx';
import { MoveByPolicy } from './move-by-policy.tsx';
import { formOf, propertiesOf } from './policy-form.ts';

const route = getRouteApi('/vaults/$group/$vault/policies/$policy/crash-consistent');

/** Leads the items under a policy to agentless crash-consistent backup, in either of Azure's two ways. */
export function CrashConsistentPage() {
  const { group, vault, policy } = route.useParams();
  const at = { resourceGroup: group, vault };
  const found = useQuery({
    queryKey: keys.policy(at, policy),
    queryFn: () => client.policies.get(at, policy),
  });
  return (
    <Page
      title="Move to crash-consistent backup"
      kind={`Backup policy ${policy}`}
      crumbs={policyCrumbs(at, policy)}
    >
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The policy could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isPending && <Spinner label="Asking for the policy" />}
      {found.data?.properties.policyType === 'V1' && (
        <MessageBar intent="info" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>This is a Standard policy.</MessageBarTitle> Only Enhanced policies make backups
            without the agent.{' '}
            <PageLink
              to="/vaults/$group/$vault/policies/$policy/edit"
              params={{ ...vaultParams(at), policy }}
            >
              Modify its sub type
            </PageLink>
          </MessageBarBody>
        </MessageBar>
      )}
      {found.data?.properties.policyType === 'V2' && <Ways at={at} policy={found.data} />}
    </Page>
  );
}

function Ways({ at, policy }: { at: VaultAddress; policy: Policy }) {
  const isMoved = policy.properties.snapshotConsistencyType === 'OnlyCrashConsistent';
  const [way, setWay] = useState<'policy' | 'edit'>(isMoved ? 'edit' : 'policy');
  const properties = propertiesOf({ ...formOf(policy), crashConsistent: true });
  const effect = useEditEffect(at, policy.name, properties);
  return (
    <>
      <p>
        VMs are then backed up without their guest agent: all disks at one moment, as after a loss of power.
        Applications in them recover when they start.
      </p>
      {!isMoved && (
        <Field label="Which way">
          <RadioGroup value={way} onChange={(_event, { value }) => setWay(value as typeof way)}>
            <Radio value="policy" label="Give chosen VMs another policy like this one (recommended)" />
            <Radio value="edit" label="Edit this policy, for all VMs under it" />
          </RadioGroup>
        </Field>
      )}
      {effect.error !== null && (
        <Problem
          error={effect.error}
          title="Whether the VMs can be moved is not known"
          onRetry={() => void effect.refetch()}
        />
      )}
      {effect.isPending && <Spinner label="Asking which VMs can be moved" />}
      {effect.data !== undefined &&
        (way === 'policy' ? (
          <MoveByPolicy
            at={at}
            policy={policy}
            properties={properties}
            members={effect.data.members}
            onChange={() => void effect.refetch()}
          />
        ) : (
          <MoveByEdit
            at={at}
            policy={policy}
            isMoved={isMoved}
            members={effect.data.members}
            onChange={() => void effect.refetch()}
          />
        ))}
    </>
  );
}
