import { Button, makeStyles, Subtitle2, tokens } from '@fluentui/react-components';
import { ChevronLeftRegular, ChevronRightRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { PolicyPreview as Preview, VaultAddress } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { counted, formatDate, formatTime } from '../../parts/format.ts';
import { Problem } from '../../parts/problem.tsx';
import { currentMonth, monthAfter, monthName, spanOfMonth, weeksOfMonth } from './month.ts';
import { isToldByFields } from './policy-refusals.ts';
import { weekdays } from './words.ts';

const useStyles = makeStyles({
  root: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalS, minWidth: 0 },
  head: { display: 'flex', alignItems: 'center', columnGap: tokens.spacingHorizontalS },
  month: { minWidth: '9rem', textAlign: 'center' },
  scroll: { overflowX: 'auto' },
  table: {
    width: '100%',
    minWidth: '34rem',
    tableLayout: 'fixed',
    borderCollapse: 'collapse',
    fontSize: tokens.fontSizeBase200,
    lineHeight: tokens.lineHeightBase200,
    '& th': { fontWeight: tokens.fontWeightSemibold, padding: tokens.spacingVerticalXS, textAlign: 'start' },
    '& td': {
      height: '4.25rem',
      verticalAlign: 'top',
      padding: tokens.spacingVerticalXS,
      border: `1px solid ${tokens.colorNeutralStroke2}`,
    },
  },
  date: { color: tokens.colorNeutralForeground3 },
  long: { backgroundColor: tokens.colorBrandBackground2, color: tokens.colorNeutralForeground1 },
  rule: { fontWeight: tokens.fontWeightSemibold },
});

type Point = Preview['points'][number];

interface PolicyPreviewProps {
  at: VaultAddress;
  /** Of a policy that has been saved or not. */
  policyProperties: unknown;
  /** Absent for one that has no name yet. */
  policyName?: string | undefined;
}

const keyOf = ({ at, policyName, policyProperties }: PolicyPreviewProps, month: string) =>
  ['policy-preview', at, policyName, policyProperties, month] as const;

/** What the service says of a policy for one month: what it would keep, or why it can't be. */
export function usePolicyPreview(props: PolicyPreviewProps, month: string) {
  const { at, policyName, policyProperties } = props;
  return useQuery({
    queryKey: keyOf(props, month),
    queryFn: () =>
      client.policies.preview(at, {
        ...(policyName !== undefined && policyName !== '' && { policyName }),
        policyProperties,
        ...spanOfMonth(month),
      }),
    placeholderData: (before) => before,
    staleTime: 60_000,
  });
}

/** A month under a policy: the backups of each day, and until when they would be kept if all succeed. */
export function PolicyPreview(props: PolicyPreviewProps) {
  const styles = useStyles();
  const [month, setMonth] = useState(currentMonth);
  const found = usePolicyPreview(props, month);
  const byDate = Map.groupBy(found.data?.points ?? [], ({ date }) => date);
  return (
    <section className={styles.root} aria-label="Preview">
      <div className={styles.head}>
        <Subtitle2 as="h2">What would be kept until when</Subtitle2>
      </div>
      <div className={styles.head}>
        <Button
          size="small"
          icon={<ChevronLeftRegular />}
          aria-label="Month before"
          onClick={() => setMonth(monthAfter(month, -1))}
        />
        <span className={styles.month} aria-live="polite">
          {monthName(month)}
        </span>
        <Button
          size="small"
          icon={<ChevronRightRegular />}
          aria-label="Month after"
          onClick={() => setMonth(monthAfter(month))}
        />
      </div>
      {found.error !== null && !isToldByFields(found.error) && (
        <Problem
          error={found.error}
          title="There is no preview"
          onRetry={found.error.name === 'ConnectionError' ? () => void found.refetch() : undefined}
        />
      )}
      {isToldByFields(found.error) && <p>There is a preview once the fields that are marked are right.</p>}
      {found.data !== undefined && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
        <section className={styles.scroll} aria-label="Days of the month" tabIndex={0}>
          <table className={styles.table} aria-busy={found.isPlaceholderData}>
            <thead>
              <tr>
                {weekdays.map((day) => (
                  <th key={day} scope="col">
                    {day}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {weeksOfMonth(month).map((week) => (
                <tr key={week.find((date) => date !== undefined)}>
                  {week.map((date, column) =>
                    date === undefined ? (
                      <td key={weekdays[column]} />
                    ) : (
                      <Day key={date} date={date} points={byDate.get(date) ?? []} />
                    ),
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

function Day({ date, points }: { date: string; points: readonly Point[] }) {
  const styles = useStyles();
  const longest = points.reduce<Point | undefined>(
    (best, point) => (best === undefined || point.expiryTime > best.expiryTime ? point : best),
    undefined,
  );
  const isLongTerm =
    longest?.inVault === true && longest.ruleName !== undefined && longest.ruleName !== 'Daily';
  return (
    <td
      className={isLongTerm ? styles.long : undefined}
      title={points.map((point) => `${formatTime(point.time)}: ${fateOf(point)}`).join('\n')}
    >
      <div className={styles.date}>{Number(date.slice(-2))}</div>
      {longest !== undefined && (
        <>
          <div>{counted(points.length, 'backup')}</div>
          <div className={styles.rule}>{longest.inVault ? longest.ruleName : 'Snapshot'}</div>
          <div>till {formatDate(longest.expiryTime)}</div>
        </>
      )}
    </td>
  );
}

const fateOf = ({ inVault, tags, expiryTime, snapshotExpiryTime }: Point) =>
  inVault
    ? `${['vault', ...tags].join(', ')}, till ${formatTime(expiryTime)}; snapshot till ${formatTime(snapshotExpiryTime)}`
    : `snapshot alone, till ${formatTime(expiryTime)}`;
