import { makeStyles, Spinner, Subtitle2, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import type { PolicyEditPreview, VaultAddress } from '../../../../src/api/client/browser.ts';
import { itemOf, itemParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { counted, spaced } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { PlainTable } from '../../parts/plain-table.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { isToldByFields } from './policy-refusals.ts';

const useStyles = makeStyles({
  root: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalS, minWidth: 0 },
});

export type Member = PolicyEditPreview['members'][number];

/** What saving would do to the items under the policy. */
export function useEditEffect(at: VaultAddress, policyName: string, policyProperties: unknown) {
  return useQuery({
    queryKey: [...keys.policy(at, policyName), 'effect', policyProperties],
    queryFn: () => client.policies.previewEdit(at, { policyName, policyProperties }),
    placeholderData: (before) => before,
  });
}

interface EditEffectProps {
  at: VaultAddress;
  policyName: string;
  policyProperties: unknown;
}

/** What an edit would do to each item under the policy and to the points it has, before it is saved. */
export function EditEffect({ at, policyName, policyProperties }: EditEffectProps) {
  const styles = useStyles();
  const found = useEditEffect(at, policyName, policyProperties);
  const members = found.data?.members ?? [];
  const changed = members.filter((member) => member.changed.length > 0);
  return (
    <section className={styles.root} aria-label="Effect on associated items">
      <Subtitle2 as="h2">What saving does to the associated items</Subtitle2>
      {found.isPending && <Spinner size="tiny" label="Asking what the edit would do" />}
      {found.error !== null && !isToldByFields(found.error) && (
        <Problem error={found.error} title="The edit can't be made" onRetry={() => void found.refetch()} />
      )}
      {found.data !== undefined && members.length === 0 && <p>No item is under this policy.</p>}
      {members.length > 0 && <Members members={members} />}
      {changed.map((member) => (
        <ChangedPoints key={member.itemId} member={member} />
      ))}
    </section>
  );
}

/** The items under a policy, and how each meets the edit. */
export function Members({ members }: { members: readonly Member[] }) {
  return (
    <PlainTable label="Effect by item" columns={['VM', 'Effect', 'Points', 'At once']} minWidth="34rem">
      {members.map((member) => (
        <tr key={member.itemId}>
          <td>
            <PageLink
              to="/vaults/$group/$vault/items/$vmGroup/$vm"
              params={itemParams(itemOf(member.itemId))}
            >
              {member.vm}
            </PageLink>
          </td>
          <td>
            <MemberEffect member={member} />
          </td>
          <td>
            {member.longer} longer, {member.shorter} shorter, {member.same} unchanged
          </td>
          <td>{atOnceWords(member)}</td>
        </tr>
      ))}
    </PlainTable>
  );
}

export function MemberEffect({ member }: { member: Member }) {
  if (member.effect === 'configure') return <Status tone="good">Follows</Status>;
  return (
    <>
      <Status tone={member.effect === 'fail' ? 'bad' : 'off'}>
        {member.effect === 'fail' ? "Can't follow" : 'Stays as it is'}
      </Status>
      {member.reasons.map((reason) => (
        <div key={reason}>{reason}</div>
      ))}
    </>
  );
}

function atOnceWords({ softDeletedAtOnce, removedAtOnce, undeletedAtOnce }: Member): string {
  const parts = [
    [softDeletedAtOnce, 'soft deleted'],
    [removedAtOnce, 'removed'],
    [undeletedAtOnce, 'undeleted'],
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return told.length === 0 ? 'Nothing' : told.join(', ');
}

function ChangedPoints({ member: { vm, changed, longer, shorter } }: { member: Member }) {
  return (
    <details>
      <summary>
        {counted(longer + shorter, 'point')} of {vm} would expire at another time
        {changed.length < longer + shorter && `; the oldest ${changed.length}`}
      </summary>
      <PlainTable
        label={`Points of ${vm} that change`}
        columns={['Point of', 'Kept till now', 'Then kept till', 'At once']}
        minWidth="34rem"
      >
        {changed.map((point) => (
          <tr key={point.recoveryPoint}>
            <td>
              <Time at={point.time} />
            </td>
            <td>
              <Time at={point.before} />
            </td>
            <td>
              <Time at={point.after} />
            </td>
            <td title={point.reason}>{spaced(point.atOnce)}</td>
          </tr>
        ))}
      </PlainTable>
    </details>
  );
}
