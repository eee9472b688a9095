import {
  Button,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  makeStyles,
  Spinner,
  tokens,
} from '@fluentui/react-components';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ItemAddress, RecoveryPoint } from '../../../../src/api/client/browser.ts';
import { vaultParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { Problem } from '../../parts/problem.tsx';
import { Time } from '../../parts/time.tsx';
import { runJob } from '../../shell/notices.ts';
import { consistencyWord } from '../items/point-words.ts';
import { disksOf, type RestoreForm, requestOf, restoreKinds } from './restore-form.ts';

const useStyles = makeStyles({ buttons: { display: 'flex', columnGap: tokens.spacingHorizontalS } });

interface ReviewStepProps {
  at: ItemAddress;
  point: RecoveryPoint;
  form: RestoreForm;
  sourceResourceId: string;
  onBack(): void;
}

/** Has the service validate the restore, starts it, and goes to its job. */
export function ReviewStep({ at, point, form, sourceResourceId, onBack }: ReviewStepProps) {
  const styles = useStyles();
  const navigate = useNavigate();
  const request = requestOf(form, point, sourceResourceId);
  const validation = useQuery({
    queryKey: ['validate-restore', request],
    queryFn: () => client.recoveryPoints.validateRestore(at, request),
    // What stands in the way of a restore changes without the portal hearing of it.
    gcTime: 0,
    staleTime: 0,
  });
  const restore = useMutation({
    mutationFn: () =>
      runJob(`Restore of ${at.vm}`, at, () =>
        client.recoveryPoints.restore(at, point.name, { properties: request }),
      ),
    onSuccess: (job) =>
      navigate({ to: '/vaults/$group/$vault/jobs/$job', params: { ...vaultParams(at), job } }),
  });
  const results = validation.data?.validationResults ?? [];
  const { holdfast = {} } = request;
  const yes = (value: boolean | undefined) => (value === undefined ? undefined : value ? 'Yes' : 'No');
  return (
    <>
      {validation.isFetching && <Spinner label="Validating" />}
      {validation.error !== null && (
        <Problem
          error={validation.error}
          title="The restore could not be validated"
          onRetry={() => void validation.refetch()}
        />
      )}
      {!validation.isFetching && validation.data !== undefined && results.length === 0 && (
        <MessageBar intent="success">
          <MessageBarBody>Validation passed.</MessageBarBody>
        </MessageBar>
      )}
      {!validation.isFetching &&
        results.map(({ code, message, recommendations }) => (
          <MessageBar key={code + message} intent="error" layout="multiline" role="alert">
            <MessageBarBody>
              <MessageBarTitle>Validation failed.</MessageBarTitle> {message}
              <div>{recommendations.join(' ')}</div>
              <div>
                Code: <code>{code}</code>
              </div>
            </MessageBarBody>
          </MessageBar>
        ))}
      {restore.error !== null && <Problem error={restore.error} title="The restore was not started" />}
      <Essentials
        entries={[
          ['Restore point', <Time key="time" at={point.properties.recoveryPointTime} />],
          ['Consistency', consistencyWord(point.properties.recoveryPointType)],
          ['Restore', restoreKinds.find(([kind]) => kind === form.kind)?.[1]],
          ['Virtual machine', form.kind === 'disks' ? undefined : (request.targetVirtualMachineId ?? at.vm)],
          ['Directory', request.storageAccountId && <code key="to">{request.storageAccountId}</code>],
          ['Disks', disksOf(form, point).join(', ')],
          [
            'From',
            holdfast.live === true || holdfast.tier === 'vault'
              ? 'Vault-Standard'
              : holdfast.tier === 'snapshot'
                ? 'Snapshot'
                : 'The snapshot while it is there, else the vault',
          ],
          ['Format', holdfast.diskFormat],
          ['Live restore', yes(holdfast.live)],
          ['Network connected', yes(holdfast.connectNetwork)],
          ['Started afterwards', yes(holdfast.start)],
          ['Damage tolerated', yes(holdfast.allowDamaged)],
        ]}
      />
      <div className={styles.buttons}>
        <Button onClick={onBack} disabled={restore.isPending}>
          Back
        </Button>
        <Button
          disabled={validation.isFetching || restore.isPending}
          onClick={() => void validation.refetch()}
        >
          Validate again
        </Button>
        <Button
          appearance="primary"
          disabled={
            validation.data === undefined || validation.isFetching || results.length > 0 || restore.isPending
          }
          onClick={() => restore.mutate()}
        >
          {restore.isPending ? 'Starting the restore' : 'Restore'}
        </Button>
      </div>
    </>
  );
}
