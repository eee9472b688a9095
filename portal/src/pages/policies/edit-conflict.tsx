import {
  Button,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  MessageBarTitle,
  Spinner,
} from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import type { Policy, VaultAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Problem } from '../../parts/problem.tsx';
import { changesBetween } from './settings.ts';

interface EditConflictProps {
  at: VaultAddress;
  /** What the edit began with. */
  base: Policy;
  /** What is in the fields may replace the others' edit. */
  onKeep(theirs: Policy): void;
  /** The fields show the others' edit. */
  onTake(theirs: Policy): void;
}

/** Somebody else has saved the policy meanwhile: what they changed, and whose settings stay in the fields. */
export function EditConflict({ at, base, onKeep, onTake }: EditConflictProps) {
  const found = useQuery({
    queryKey: [...keys.policy(at, base.name), 'after', base.eTag],
    queryFn: () => client.policies.get(at, base.name),
    staleTime: 0,
  });
  if (found.error !== null)
    return (
      <Problem
        error={found.error}
        title="What the other editor saved could not be read"
        onRetry={() => void found.refetch()}
      />
    );
  const theirs = found.data;
  if (theirs === undefined) return <Spinner size="tiny" label="Asking what was changed" />;
  const changes = changesBetween(base, theirs);
  return (
    <MessageBar intent="warning" layout="multiline" role="alert">
      <MessageBarBody>
        <MessageBarTitle>Somebody else has saved this policy meanwhile.</MessageBarTitle> What you typed is
        still in the fields.
        {changes.length > 0 && (
          <ul>
            {changes.map(({ name, before, after }) => (
              <li key={name}>
                {name}: {before} → {after}
              </li>
            ))}
          </ul>
        )}
      </MessageBarBody>
      <MessageBarActions>
        <Button size="small" onClick={() => onKeep(theirs)}>
          Keep mine
        </Button>
        <Button size="small" onClick={() => onTake(theirs)}>
          Take theirs
        </Button>
      </MessageBarActions>
    </MessageBar>
  );
}
