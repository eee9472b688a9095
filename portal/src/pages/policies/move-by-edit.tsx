import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  tokens,
} from '@fluentui/react-components';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { Policy, VaultAddress } from '../../../../src/api/client/browser.ts';
import { keys } from '../../api/keys.ts';
import { Problem } from '../../parts/problem.tsx';
import { type Member, Members } from './edit-effect.tsx';
import { formOf, propertiesOf } from './policy-form.ts';
import { savePolicy } from './save-policy.ts';

const useStyles = makeStyles({ buttons: { display: 'flex', columnGap: tokens.spacingHorizontalS } });

interface MoveByEditProps {
  at: VaultAddress;
  policy: Policy;
  /** The policy has been edited; what is left are those that could not follow. */
  isMoved: boolean;
  members: readonly Member[];
  onChange(): void;
}

/**
 * Option 2: the policy itself becomes crash-consistent. Those that can't follow are named, before and after: they get
 * another policy, and the edit is made once more; or the policy is put back.
 */
export function MoveByEdit({ at, policy, isMoved, members, onChange }: MoveByEditProps) {
  const styles = useStyles();
  const queries = useQueryClient();
  const unable = members.filter(({ effect }) => effect === 'fail');
  const save = useMutation({
    mutationFn: (crashConsistent: boolean) =>
      savePolicy(at, policy.name, propertiesOf({ ...formOf(policy), crashConsistent }), policy.eTag),
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: keys.policies(at) });
      onChange();
    },
  });
  return (
    <>
      {save.error !== null && <Problem error={save.error} title="The policy was not saved" />}
      {isMoved && unable.length === 0 && (
        <MessageBar intent="success">
          <MessageBarBody>
            <MessageBarTitle>{policy.name} makes only crash-consistent backups.</MessageBarTitle> Its VMs are
            brought to it by a Configure backup job each.
          </MessageBarBody>
        </MessageBar>
      )}
      {unable.length > 0 && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>{unable.map(({ vm }) => vm).join(', ')} can't follow.</MessageBarTitle>{' '}
            {isMoved
              ? 'Put the policy back; or give each of them another policy, by its link, and try again.'
              : 'Give each of them another policy first, by its link, or stop its backup.'}
          </MessageBarBody>
        </MessageBar>
      )}
      {members.length === 0 ? <p>No item is under this policy.</p> : <Members members={members} />}
      <div className={styles.buttons}>
        {(!isMoved || members.length > 0) && (
          <Button appearance="primary" disabled={save.isPending} onClick={() => save.mutate(true)}>
            {isMoved ? 'Try again' : 'Update policy'}
          </Button>
        )}
        {isMoved && (
          <Button disabled={save.isPending} onClick={() => save.mutate(false)}>
            Put the policy back
          </Button>
        )}
      </div>
    </>
  );
}
