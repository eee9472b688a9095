import { Button, Checkbox, makeStyles, tokens } from '@fluentui/react-components';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiError, type Policy, type VaultAddress } from '../../../../src/api/client/browser.ts';
import { itemOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { counted } from '../../parts/format.ts';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Status } from '../../parts/status.tsx';
import { runJob } from '../../shell/notices.ts';
import { type Member, MemberEffect } from './edit-effect.tsx';
import { fieldRefusals } from './policy-refusals.ts';
import { changesBetween } from './settings.ts';
import { TextField } from './text-field.tsx';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalM, alignItems: 'start' },
});

interface MoveByPolicyProps {
  at: VaultAddress;
  policy: Policy;
  /** Those of the policy, but crash-consistent. */
  properties: Record<string, unknown>;
  members: readonly Member[];
  onChange(): void;
}

/** Option 1: a policy with the same schedule and retention, and each chosen VM changed to it. What fails can be tried again. */
export function MoveByPolicy({ at, policy, properties, members, onChange }: MoveByPolicyProps) {
  const styles = useStyles();
  const queries = useQueryClient();
  const [name, setName] = useState(`${policy.name}-crash`);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, unknown>>(new Map());
  const chosen = members.filter(
    (member) =>
      member.effect !== 'fail' && !left.has(member.itemId) && outcomes.get(member.itemId) !== 'begun',
  );
  const move = useMutation({
    mutationFn: async () => {
      const twin = await makeTwin(at, name, policy, properties);
      for (const member of chosen) {
        const outcome = await changePolicy(member, twin).catch((error: unknown) => error);
        setOutcomes((before) => new Map(before).set(member.itemId, outcome));
      }
    },
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: keys.policies(at) });
      onChange();
    },
  });
  const problem = fieldRefusals(move.error).name;
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        move.mutate();
      }}
    >
      {move.error !== null && problem === undefined && (
        <Problem error={move.error} title="The policy was not created" />
      )}
      <TextField label="Name of the new policy" value={name} problem={problem} onChange={setName} />
      {members.length === 0 ? (
        <p>No item is under {policy.name} any more.</p>
      ) : (
        <PlainTable label="VMs to move" columns={['VM', 'Crash-consistent backup', 'Change of policy']}>
          {members.map((member) => (
            <tr key={member.itemId}>
              <td>
                <Checkbox
                  label={member.vm}
                  disabled={member.effect === 'fail'}
                  checked={member.effect !== 'fail' && !left.has(member.itemId)}
                  onChange={() => setLeft((before) => before.symmetricDifference(new Set([member.itemId])))}
                />
              </td>
              <td>
                <MemberEffect member={member} />
              </td>
              <td>
                <Outcome outcome={outcomes.get(member.itemId)} />
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Button
        type="submit"
        appearance="primary"
        disabled={chosen.length === 0 || name === '' || move.isPending}
      >
        {`Create policy and move ${counted(chosen.length, 'VM')}`}
      </Button>
    </form>
  );
}

function Outcome({ outcome }: { outcome: unknown }) {
  if (outcome === undefined) return null;
  return outcome === 'begun' ? <Status tone="busy">Begun</Status> : <Problem error={outcome} />;
}

/** The new policy; one of that name that is the same already will do, since an earlier try may have made it. */
async function makeTwin(
  at: VaultAddress,
  name: string,
  policy: Policy,
  properties: Record<string, unknown>,
): Promise<string> {
  try {
    const made = await client.policies.put(at, name, { properties }, { isNew: true });
    return 'id' in made ? made.id : await client.policies.id(at, name);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'PreconditionFailed')) throw error;
    const there = await client.policies.get(at, name);
    const differences = changesBetween(policy, there).map((change) => change.name);
    if (differences.some((setting) => setting !== 'Consistency type') || differences.length === 0)
      throw error;
    return there.id;
  }
}

async function changePolicy({ itemId, vm }: Member, policyId: string): Promise<'begun'> {
  const item = itemOf(itemId);
  const { sourceResourceId } = (await client.items.get(item)).properties;
  const protectedItemType = 'Microsoft.Compute/virtualMachines' as const;
  await runJob(`Change policy of ${vm}`, item, () =>
    client.items.put(item, { properties: { protectedItemType, sourceResourceId, policyId } }),
  );
  return 'begun';
}
