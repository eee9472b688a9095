import { useState } from 'react';
import type { ItemAddress, RecoveryPoint } from '../../../../src/api/client/browser.ts';
import { itemParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { ChoiceFilter } from '../../parts/filters.tsx';
import { formatBytes } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { Status } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { type Consistency, consistencies, consistencyWord, sizeOf, tiersOf } from './point-words.ts';

const storedOf = (point: RecoveryPoint) =>
  point.properties.holdfast.disks.reduce((sum, disk) => sum + (disk.storedBytes ?? 0), 0);

const columnsOf = (at: ItemAddress): Column<RecoveryPoint>[] => [
  {
    key: 'time',
    title: 'Time',
    grow: 2,
    render: (point) => <Time at={point.properties.recoveryPointTime} />,
  },
  {
    key: 'consistency',
    title: 'Consistency',
    grow: 2.1,
    render: (point) => consistencyWord(point.properties.recoveryPointType),
  },
  { key: 'tier', title: 'Recovery type', grow: 2.75, render: tiersOf },
  {
    key: 'tag',
    title: 'Kept by',
    grow: 1.3,
    render: ({ properties: { recoveryPointProperties: kept } }) => kept.ruleName ?? 'On demand',
  },
  {
    key: 'expiry',
    title: 'Expires',
    grow: 2,
    render: ({ properties: { recoveryPointProperties, holdfast } }) => {
      if (holdfast.keptUntil === 'deletion') return 'Kept until deleted';
      const at = holdfast.removalTime ?? recoveryPointProperties.expiryTime;
      if (at === undefined) return 'Unknown';
      const how = { expiry: '', removal: 'Removed ', purge: 'Purged ' }[holdfast.keptUntil];
      return (
        <>
          {how}
          <Time at={at} />
        </>
      );
    },
  },
  {
    key: 'size',
    title: 'Size',
    // All points of a VM have much the same; the restore shows it.
    hidden: true,
    grow: 1.1,
    align: 'end',
    render: (point) => formatBytes(sizeOf(point)),
  },
  {
    key: 'stored',
    title: 'New in vault',
    hidden: true,
    grow: 1.2,
    align: 'end',
    render: (point) => formatBytes(storedOf(point)),
  },
  {
    key: 'damaged',
    title: 'State',
    grow: 1.1,
    render: ({ properties: { holdfast } }) =>
      holdfast.damaged === true ? <Status tone="bad">Damaged</Status> : <Status tone="good">Good</Status>,
  },
  {
    key: 'restore',
    title: 'Actions',
    grow: 1.1,
    render: (point) => (
      <PageLink
        to="/vaults/$group/$vault/items/$vmGroup/$vm/restore"
        params={itemParams(at)}
        search={{ step: 'target', point: point.name }}
      >
        Restore
      </PageLink>
    ),
  },
];

/** The recovery points of an item, newest first. */
export function RecoveryPoints({ at }: { at: ItemAddress }) {
  const [consistency, choose] = useState<Consistency | undefined>();
  const source = useWholeList(
    keys.points(at),
    () => client.recoveryPoints.list(at),
    (point) => consistency === undefined || point.properties.recoveryPointType === consistency,
  );
  return (
    <DataTable
      id="points"
      label="Recovery points"
      columns={columnsOf(at)}
      source={source}
      rowKey={(point) => point.name}
      filters={
        <ChoiceFilter<Consistency>
          label="Consistency"
          value={consistency}
          choices={consistencies}
          onChange={choose}
        />
      }
      empty={
        <Empty title="No recovery points yet">
          The first comes with the first scheduled backup, or with “Backup now”.
        </Empty>
      }
    />
  );
}
