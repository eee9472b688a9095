import { Button, Field, Input, makeStyles, Select, tokens } from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useDeferredValue, useState } from 'react';
import type { Vault } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { VaultCreated } from './vault-created.tsx';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalL, maxWidth: '30rem' },
  submit: { alignSelf: 'start' },
});

/** Makes a vault with an encrypted store in the service's home. */
export function NewVaultPage() {
  const styles = useStyles();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [resourceGroup, setResourceGroup] = useState('default');
  const [chosenRegion, setRegion] = useState<string>();
  const hosts = useQuery({ queryKey: keys.hosts, queryFn: () => client.hosts.list() });
  const regions = [...new Set((hosts.data ?? []).map((host) => host.location))].sort();
  const location = chosenRegion ?? regions[0] ?? 'local';

  // The service knows the rules, and which names are taken.
  const asked = useDeferredValue(name);
  const check = useQuery({
    queryKey: ['vault-name', resourceGroup, location, asked],
    queryFn: () => client.vaults.checkName(resourceGroup, location, asked),
    enabled: asked !== '' && resourceGroup !== '',
    staleTime: 5_000,
  });
  const problem =
    check.data?.nameAvailable === false ? (check.data.message ?? 'The name is not available.') : undefined;

  const create = useMutation<Vault>({
    mutationFn: () => client.vaults.put({ resourceGroup, vault: name }, { location }),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: keys.vaults }),
        queries.invalidateQueries({ queryKey: keys.overview }),
      ]),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };

  return (
    <Page
      title={create.data === undefined ? 'Create a vault' : `Vault ${create.data.name}`}
      kind="Recovery Services vault"
      crumbs={[{ text: 'Vaults', to: '/vaults' }]}
    >
      {create.data !== undefined ? (
        <VaultCreated vault={create.data} />
      ) : (
        <form className={styles.form} onSubmit={submit}>
          {create.error !== null && <Problem error={create.error} title="The vault was not created" />}
          <Field label="Resource group" required>
            <Input value={resourceGroup} onChange={(_event, { value }) => setResourceGroup(value)} />
          </Field>
          <Field
            label="Vault name"
            required
            hint="2 to 50 characters: letters, digits and hyphens, beginning with a letter"
            validationState={problem === undefined ? 'none' : 'error'}
            validationMessage={problem}
          >
            <Input value={name} autoComplete="off" onChange={(_event, { value }) => setName(value)} />
          </Field>
          <Field label="Region" required hint="A vault protects the VMs of its own region.">
            <Select value={location} onChange={(_event, { value }) => setRegion(value)}>
              {(regions.length === 0 ? ['local'] : regions).map((region) => (
                <option key={region} value={region}>
                  {region}
                </option>
              ))}
            </Select>
          </Field>
          <Button
            className={styles.submit}
            type="submit"
            appearance="primary"
            disabled={name === '' || resourceGroup === '' || problem !== undefined || create.isPending}
          >
            {create.isPending ? 'Creating the vault' : 'Create'}
          </Button>
        </form>
      )}
    </Page>
  );
}
