import { makeStyles, Spinner, Tab, TabList, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import type { ItemAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Empty } from '../../parts/empty.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { PointStep } from './point-step.tsx';
import { emptyForm, missingIn } from './restore-form.ts';
import { type RestoreStep, restoreSteps } from './restore-search.ts';
import { ReviewStep } from './review-step.tsx';
import { TargetStep } from './target-step.tsx';

const route = getRouteApi('/vaults/$group/$vault/items/$vmGroup/$vm/restore');

const useStyles = makeStyles({
  step: {
    display: 'flex',
    flexDirection: 'column',
    alignItems: 'stretch',
    rowGap: tokens.spacingVerticalL,
    maxWidth: '60rem',
  },
});

/** Restores a VM in three steps, which are addresses, so that the browser's Back goes a step back; what was typed stays. */
export function RestorePage() {
  const styles = useStyles();
  const { group, vault, vmGroup, vm } = route.useParams();
  const at: ItemAddress = { resourceGroup: group, vault, vmResourceGroup: vmGroup, vm };
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [form, setForm] = useState(emptyForm);
  const item = useQuery({ queryKey: keys.item(at), queryFn: () => client.items.get(at) });
  const points = useQuery({ queryKey: keys.points(at), queryFn: () => client.recoveryPoints.list(at) });
  const newestFirst = (points.data ?? []).toSorted((a, b) =>
    b.properties.recoveryPointTime.localeCompare(a.properties.recoveryPointTime),
  );
  const point =
    search.point === undefined
      ? (newestFirst.find(({ properties }) => properties.holdfast.isBeforeRestore !== true) ?? newestFirst[0])
      : newestFirst.find(({ name }) => name === search.point);
  const isComplete = point !== undefined && Object.keys(missingIn(form, point, vm)).length === 0;
  const can: Record<RestoreStep, boolean> = {
    point: true,
    target: point !== undefined,
    review: isComplete,
  };
  const wanted = search.step ?? 'point';
  const step = can[wanted] ? wanted : point === undefined ? 'point' : 'target';
  const go = (next: RestoreStep) => void navigate({ search: (before) => ({ ...before, step: next }) });
  const failed = item.error ?? points.error;
  const itemPage = `/vaults/${[group, vault].map(encodeURIComponent).join('/')}/items/${[vmGroup, vm].map(encodeURIComponent).join('/')}`;

  return (
    <Page
      title={`Restore ${vm}`}
      kind="Backup item"
      crumbs={[
        { text: 'Backup items', to: '/items' },
        { text: vm, to: itemPage },
      ]}
    >
      {failed !== null && (
        <Problem
          error={failed}
          title="The recovery points could not be read"
          onRetry={() => {
            void item.refetch();
            void points.refetch();
          }}
        />
      )}
      {(item.isPending || points.isPending) && <Spinner label="Asking for the recovery points" />}
      {points.data?.length === 0 && (
        <Empty title="There is nothing to restore yet">
          The first recovery point comes with the first backup.
        </Empty>
      )}
      {item.data !== undefined && newestFirst.length > 0 && (
        <>
          <TabList
            selectedValue={step}
            aria-label="Steps of the restore"
            onTabSelect={(_event, { value }) => go(value as RestoreStep)}
          >
            {restoreSteps.map(([name, text], index) => (
              <Tab key={name} value={name} disabled={!can[name]}>
                {index + 1}. {text}
              </Tab>
            ))}
          </TabList>
          <div className={styles.step}>
            {step === 'point' && (
              <PointStep
                points={newestFirst}
                chosen={point}
                onChoose={(name) =>
                  void navigate({ search: (before) => ({ ...before, point: name }), replace: true })
                }
                onNext={() => go('target')}
              />
            )}
            {step === 'target' && point !== undefined && (
              <TargetStep
                vm={vm}
                point={point}
                form={form}
                onChange={(change) => setForm((before) => ({ ...before, ...change }))}
                onBack={() => go('point')}
                onNext={() => go('review')}
              />
            )}
            {step === 'review' && point !== undefined && (
              <ReviewStep
                at={at}
                point={point}
                form={form}
                sourceResourceId={item.data.properties.sourceResourceId}
                onBack={() => go('target')}
              />
            )}
          </div>
        </>
      )}
    </Page>
  );
}
