import { Button, Field, makeStyles, Select, Subtitle1, tokens } from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { VirtualMachine } from '../../../../src/api/client/browser.ts';
import { vaultOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { PageButton } from '../../parts/links.tsx';
import { Problem } from '../../parts/problem.tsx';
import { runJob } from '../../shell/notices.ts';

const useStyles = makeStyles({
  form: { display: 'flex', flexWrap: 'wrap', alignItems: 'end', gap: tokens.spacingHorizontalM },
});

/** Protects one VM: with a vault of its region, and a policy that the VM may have. */
export function EnableProtection({ machine, group }: { machine: VirtualMachine; group: string }) {
  const styles = useStyles();
  const queries = useQueryClient();
  const vaults = useQuery({ queryKey: keys.vaults, queryFn: () => client.vaults.list() });
  const near = (vaults.data ?? []).filter((vault) => vault.location === machine.location);
  const [chosenVault, setVault] = useState<string>();
  const [chosenPolicy, setPolicy] = useState<string>();
  const vault = near.find((candidate) => candidate.id === chosenVault) ?? near[0];
  const at = vault && vaultOf(vault.id);
  const policies = useQuery({
    queryKey: keys.policies(at ?? { resourceGroup: '', vault: '' }),
    queryFn: () => (at === undefined ? [] : client.policies.list(at)),
    enabled: at !== undefined,
  });
  // A VM in an extended zone may have no other.
  const fitting = (policies.data ?? []).filter(
    (policy) => machine.extendedLocation === undefined || policy.properties.policyType === 'V2',
  );
  const policy = fitting.find((candidate) => candidate.id === chosenPolicy) ?? fitting[0];
  const enable = useMutation({
    mutationFn: async () => {
      if (at === undefined || policy === undefined) throw new Error('Choose a vault and a policy.');
      const subscription = await client.subscriptionId();
      const sourceResourceId = `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/${machine.name}`;
      const properties = {
        protectedItemType: 'Microsoft.Compute/virtualMachines' as const,
        sourceResourceId,
        policyId: policy.id,
      };
      await runJob(`Enable backup of ${machine.name}`, at, () =>
        client.items.put({ ...at, vm: machine.name, vmResourceGroup: group }, { properties }),
      );
    },
    onSettled: () => queries.invalidateQueries({ queryKey: keys.machines }),
  });

  if (vaults.data !== undefined && near.length === 0)
    return (
      <p>
        There is no vault in the region {machine.location} yet.{' '}
        <PageButton to="/vaults/new">Create a vault</PageButton>
      </p>
    );
  return (
    <>
      <Subtitle1 as="h2">Enable backup</Subtitle1>
      {enable.error !== null && <Problem error={enable.error} title="Backup was not enabled" />}
      {vaults.error !== null && <Problem error={vaults.error} onRetry={() => void vaults.refetch()} />}
      {policies.error !== null && <Problem error={policies.error} onRetry={() => void policies.refetch()} />}
      <div className={styles.form}>
        <Field label="Vault">
          <Select value={vault?.id ?? ''} onChange={(_event, { value }) => setVault(value)}>
            {near.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        </Field>
        <Field label="Policy">
          <Select value={policy?.id ?? ''} onChange={(_event, { value }) => setPolicy(value)}>
            {fitting.map(({ id, name, properties }) => (
              <option key={id} value={id}>
                {name} ({properties.policyType === 'V2' ? 'Enhanced' : 'Standard'})
              </option>
            ))}
          </Select>
        </Field>
        <Button
          appearance="primary"
          disabled={policy === undefined || enable.isPending}
          onClick={() => enable.mutate()}
        >
          {enable.isPending ? 'Enabling backup' : 'Enable backup'}
        </Button>
      </div>
    </>
  );
}
