import { Spinner } from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { policyCrumbs } from './crumbs.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { formOf, newForm, type PolicyForm, propertiesOf } from './policy-form.ts';
import { isToldByFields } from './policy-refusals.ts';

const route = getRouteApi('/vaults/$group/$vault/new-policy');

/** Makes a policy, from nothing or from another one's settings. */
export function NewPolicyPage() {
  const { group, vault } = route.useParams();
  const { from } = route.useSearch();
  const at = { resourceGroup: group, vault };
  const model = useQuery({
    queryKey: keys.policy(at, from ?? ''),
    queryFn: () => client.policies.get(at, from ?? ''),
    enabled: from !== undefined,
  });
  return (
    <Page title="Create policy" kind="Backup policy" crumbs={policyCrumbs(at)}>
      {model.error !== null && (
        <Problem
          error={model.error}
          title={`Policy '${from}' could not be read`}
          onRetry={() => void model.refetch()}
        />
      )}
      {from !== undefined && model.isPending && <Spinner label="Asking for the policy" />}
      {from === undefined && <Creation at={at} start={newForm} />}
      {model.data !== undefined && <Creation at={at} start={formOf(model.data)} />}
    </Page>
  );
}

function Creation({ at, start }: { at: { resourceGroup: string; vault: string }; start: PolicyForm }) {
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [form, setForm] = useState(start);
  const create = useMutation({
    mutationFn: () => client.policies.put(at, name, { properties: propertiesOf(form) }, { isNew: true }),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.policies(at) }),
    onSuccess: () =>
      navigate({
        to: '/vaults/$group/$vault/policies/$policy',
        params: { group: at.resourceGroup, vault: at.vault, policy: name },
      }),
  });
  return (
    <PolicyEditor
      at={at}
      name={name}
      onName={setName}
      form={form}
      onForm={setForm}
      error={create.error}
      confirm={create.isPending ? 'Creating the policy' : 'Create'}
      isBusy={create.isPending}
      onSave={() => create.mutate()}
      notice={
        create.error !== null &&
        !isToldByFields(create.error) && <Problem error={create.error} title="The policy was not created" />
      }
    />
  );
}
