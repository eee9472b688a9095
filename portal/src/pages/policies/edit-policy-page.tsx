import { Spinner } from '@fluentui/react-components';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiError, type Policy, type VaultAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { policyCrumbs } from './crumbs.ts';
import { EditConflict } from './edit-conflict.tsx';
import { EditEffect } from './edit-effect.tsx';
import { PolicyEditor } from './policy-editor.tsx';
import { formOf, propertiesOf } from './policy-form.ts';
import { isToldByFields } from './policy-refusals.ts';
import { savePolicy } from './save-policy.ts';

const route = getRouteApi('/vaults/$group/$vault/policies/$policy/edit');

/** Modify policy. */
export function EditPolicyPage() {
  const { group, vault, policy } = route.useParams();
  const at = { resourceGroup: group, vault };
  const found = useQuery({
    queryKey: keys.policy(at, policy),
    queryFn: () => client.policies.get(at, policy),
    // What is kept may be older than what somebody else has saved since.
    refetchOnMount: 'always',
  });
  return (
    <Page title={`Modify ${policy}`} kind="Backup policy" crumbs={policyCrumbs(at, policy)}>
      {found.error !== null && (
        <Problem
          error={found.error}
          title="The policy could not be read"
          onRetry={() => void found.refetch()}
        />
      )}
      {found.isFetching && !found.isFetchedAfterMount && <Spinner label="Asking for the policy" />}
      {found.data !== undefined && found.isFetchedAfterMount && <Edit at={at} found={found.data} />}
    </Page>
  );
}

function Edit({ at, found }: { at: VaultAddress; found: Policy }) {
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  // The policy as it was when the fields were filled: only that is replaced.
  const [base, setBase] = useState(found);
  const [form, setForm] = useState(() => formOf(found));
  const { name } = base;
  const begin = (theirs: Policy) => {
    queries.setQueryData(keys.policy(at, name), theirs);
    setBase(theirs);
    save.reset();
  };
  const save = useMutation({
    mutationFn: () => savePolicy(at, name, propertiesOf(form), base.eTag),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.policies(at) }),
    onSuccess: () =>
      navigate({
        to: '/vaults/$group/$vault/policies/$policy',
        params: { group: at.resourceGroup, vault: at.vault, policy: name },
      }),
  });
  // Told by a refused save, or already by what was asked for anew meanwhile.
  const isRefused = save.error instanceof ApiError && save.error.code === 'PreconditionFailed';
  const isOutdated = found.eTag !== base.eTag && !save.isPending && !save.isSuccess;
  return (
    <PolicyEditor
      at={at}
      name={name}
      savedType={base.properties.policyType}
      form={form}
      onForm={setForm}
      error={save.error}
      confirm={save.isPending ? 'Saving the policy' : 'Save'}
      isBusy={save.isPending}
      onSave={() => save.mutate()}
      notice={
        <>
          {save.error !== null && !isToldByFields(save.error) && (
            <Problem error={save.error} title="The policy was not saved" />
          )}
          {(isRefused || isOutdated) && (
            <EditConflict
              at={at}
              base={base}
              onKeep={begin}
              onTake={(theirs) => {
                begin(theirs);
                setForm(formOf(theirs));
              }}
            />
          )}
        </>
      }
      effect={(policyProperties) =>
        base.properties.protectedItemsCount > 0 && (
          <EditEffect at={at} policyName={name} policyProperties={policyProperties} />
        )
      }
    />
  );
}
