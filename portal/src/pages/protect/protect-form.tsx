import { Button, Field, makeStyles, Radio, RadioGroup, Select, tokens } from '@fluentui/react-components';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Vault, VaultAddress } from '../../../../src/api/client/browser.ts';
import { groupOf, vaultOf, vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { counted } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { Problem } from '../../parts/problem.tsx';
import { retentionWords, scheduleWords } from '../vaults/policy-words.ts';
import {
  type Candidate,
  candidatesOf,
  maxAtOnce,
  needsEnhanced,
  offersStandard,
  subTypes,
} from './candidates.ts';
import { MachineChoice, type Verdict } from './machine-choice.tsx';
import type { ProtectSearch } from './protect-search.ts';
import { Verdicts } from './verdicts.tsx';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalL, maxWidth: '36rem' },
  enable: { alignSelf: 'start' },
});

interface ProtectFormProps {
  vaults: readonly Vault[];
  vault: Vault;
  search: ProtectSearch;
  onSearch(change: ProtectSearch): void;
  onEnable(at: VaultAddress, policyId: string, machines: readonly Candidate[]): void;
}

/** Asks for vault, policy and VMs; has the service validate each VM that is chosen. */
export function ProtectForm({ vaults, vault, search, onSearch, onEnable }: ProtectFormProps) {
  const styles = useStyles();
  const at = vaultOf(vault.id);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const policies = useQuery({ queryKey: keys.policies(at), queryFn: () => client.policies.list(at) });
  const protectable = useQuery({
    queryKey: keys.protectable(at),
    queryFn: () => client.machines.protectable(at),
  });
  const machines = useQuery({ queryKey: keys.machines, queryFn: () => client.virtualMachines.list() });

  const candidates = candidatesOf(protectable.data ?? [], machines.data ?? []);
  // One that somebody else has protected meanwhile is not there any more.
  const chosen = candidates.filter(({ id }) => marked.has(id));
  const chosenIds = new Set(chosen.map(({ id }) => id));
  const standard = offersStandard(candidates, chosenIds);
  const has = (type: string) =>
    (policies.data ?? []).some(({ properties }) => properties.policyType === type);
  const usual = has('V2') || !has('V1') ? 'V2' : 'V1';
  const wanted = search.type ?? usual;
  const subType = wanted === 'V1' && !standard ? 'V2' : wanted;
  const fitting = (policies.data ?? []).filter(({ properties }) => properties.policyType === subType);
  const policy = fitting.find(({ name }) => name === search.policy) ?? fitting[0];

  const checks = useQueries({
    queries: chosen.map(({ id }) => ({
      queryKey: ['validate-protection', vault.id, id],
      queryFn: () => client.machines.validate(vault.location, { vaultId: vault.id, resourceId: id }),
      staleTime: 10_000,
    })),
  });
  const verdicts = new Map<string, Verdict>(
    chosen.map(({ id }, index) => {
      const check = checks[index];
      return [id, check?.data ?? (check?.error ? { status: 'Unknown' } : undefined)];
    }),
  );
  const isReady =
    policy !== undefined &&
    chosen.length > 0 &&
    chosen.every(({ id }) => verdicts.get(id)?.status === 'Succeeded');
  const source = {
    rows: candidates,
    isLoading: protectable.isPending || machines.isPending,
    isLoadingMore: false,
    error: protectable.error ?? machines.error,
    hasMore: false,
    loadMore: () => {},
    retry: () => {
      void protectable.refetch();
      void machines.refetch();
    },
  };
  return (
    <>
      <div className={styles.form}>
        <Field label="Datasource type">
          <Select defaultValue="vm">
            <option value="vm">Virtual machines</option>
          </Select>
        </Field>
        <Field label="Vault" hint={`It protects the VMs of its region, ${vault.location}.`}>
          <Select
            value={vault.id}
            onChange={(_event, { value }) => {
              const next = vaults.find(({ id }) => id === value);
              if (next !== undefined)
                onSearch({ group: groupOf(next.id), vault: next.name, policy: undefined });
            }}
          >
            {vaults.map(({ id, name }) => (
              <option key={id} value={id}>
                {name} ({groupOf(id)})
              </option>
            ))}
          </Select>
        </Field>
        <Field label="Policy sub type" hint={standard ? undefined : needsEnhanced}>
          <RadioGroup
            layout="horizontal"
            value={subType}
            onChange={(_event, { value }) =>
              onSearch({ type: value === 'V1' ? 'V1' : 'V2', policy: undefined })
            }
          >
            {subTypes.map(([type, text]) => (
              <Radio key={type} value={type} label={text} disabled={type === 'V1' && !standard} />
            ))}
          </RadioGroup>
        </Field>
        {policies.error !== null && (
          <Problem
            error={policies.error}
            title="The policies could not be read"
            onRetry={() => void policies.refetch()}
          />
        )}
        <Field
          label="Backup policy"
          hint={policy && `${scheduleWords(policy)}. Kept for ${retentionWords(policy)}.`}
          validationMessage={
            policies.data !== undefined && policy === undefined
              ? 'The vault has no policy of this sub type.'
              : undefined
          }
        >
          <Select value={policy?.name ?? ''} onChange={(_event, { value }) => onSearch({ policy: value })}>
            {fitting.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </Select>
        </Field>
        <PageLink to="/vaults/$group/$vault/new-policy" params={vaultParams(at)} target="_blank">
          Create a new policy (in a new tab)
        </PageLink>
      </div>
      <MachineChoice
        source={source}
        subType={subType}
        chosen={chosenIds}
        verdicts={verdicts}
        onChoose={(id, isChosen) =>
          setMarked((before) => {
            const next = new Set(before);
            if (isChosen) next.add(id);
            else next.delete(id);
            return next;
          })
        }
      />
      <Verdicts machines={chosen} checks={checks} />
      <p>
        {counted(chosen.length, 'VM')} chosen, of at most {maxAtOnce} at once.
      </p>
      <Button
        className={styles.enable}
        appearance="primary"
        disabled={!isReady}
        onClick={() => {
          if (policy !== undefined) onEnable(at, policy.id, chosen);
        }}
      >
        Enable backup
      </Button>
    </>
  );
}
