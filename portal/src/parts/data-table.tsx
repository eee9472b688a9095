// biome-ignore-all lint/a11y/useSemanticElements: rows that are placed by hand lose the meaning that table elements have
// biome-ignore-all lint/a11y/useFocusableInteractive: what is focused is the button in a column's head
import {
  Button,
  Menu,
  MenuItemCheckbox,
  MenuList,
  MenuPopover,
  MenuTrigger,
  makeStyles,
  mergeClasses,
  Spinner,
  tokens,
} from '@fluentui/react-components';
import { ArrowSortDownRegular, ArrowSortUpRegular, ColumnEditRegular } from '@fluentui/react-icons';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef } from 'react';
import type { RowSource } from '../api/lists.ts';
import { isStrings, useKept } from './kept.ts';
import { Problem } from './problem.tsx';

const rowHeight = 40;

/** This far before the last row that has come, more are asked for. */
const rowsAhead = 40;

export interface Column<Row> {
  key: string;
  title: string;
  render(row: Row): ReactNode;
  /** Share of the width beside the others. Default 1. */
  grow?: number;
  /** The list can be ordered by it. */
  sortable?: boolean;
  /** Not shown until it is chosen. */
  hidden?: boolean;
  /** Numbers stand at the end. */
  align?: 'end';
}

export interface Order {
  key: string;
  direction: 'asc' | 'desc';
}

interface DataTableProps<Row> {
  /** Under which the chosen columns are kept. */
  id: string;
  /** What is listed, for those who hear it: `Backup jobs`. */
  label: string;
  columns: readonly Column<Row>[];
  source: RowSource<Row>;
  rowKey(row: Row): string;
  order?: Order | undefined;
  onOrder?: (order: Order) => void;
  /** What to filter by, left of the column chooser. */
  filters?: ReactNode;
  /** Instead of rows where there are none. */
  empty: ReactNode;
}

const useStyles = makeStyles({
  root: {
    display: 'flex',
    flexDirection: 'column',
    rowGap: tokens.spacingVerticalS,
    minHeight: 0,
    flexGrow: 1,
  },
  bar: {
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'end',
    columnGap: tokens.spacingHorizontalM,
    rowGap: tokens.spacingVerticalS,
  },
  chooser: { marginInlineStart: 'auto' },
  scroll: {
    flexGrow: 1,
    minHeight: '12rem',
    overflow: 'auto',
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  table: { minWidth: 'max(100%, 52rem)' },
  row: {
    display: 'grid',
    alignItems: 'center',
    height: `${rowHeight}px`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
    boxSizing: 'border-box',
  },
  body: { position: 'relative' },
  placed: {
    position: 'absolute',
    insetInlineStart: 0,
    insetInlineEnd: 0,
    top: 0,
    ':hover': { backgroundColor: tokens.colorNeutralBackground1Hover },
  },
  head: {
    position: 'sticky',
    top: 0,
    zIndex: 1,
    backgroundColor: tokens.colorNeutralBackground2,
    fontWeight: tokens.fontWeightSemibold,
  },
  cell: {
    padding: `0 ${tokens.spacingHorizontalM}`,
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
    minWidth: 0,
  },
  end: { textAlign: 'end', fontVariantNumeric: 'tabular-nums' },
  sort: { minWidth: 0, padding: 0, fontWeight: tokens.fontWeightSemibold },
  foot: { padding: tokens.spacingVerticalS },
});

/**
 * Rows of a list. Only those in view are in the document, so that ten thousand scroll as ten do; what is filtered and
 * ordered is so by the service, over the whole list.
 */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { id, label, columns, source, rowKey, order, onOrder, filters, empty } = props;
  const styles = useStyles();
  const [chosen, choose] = useKept(
    `columns.${id}`,
    columns.filter((column) => column.hidden !== true).map((column) => column.key),
    isStrings,
  );
  const shown = columns.filter((column, i) => i === 0 || chosen.includes(column.key));
  const template = shown.map((column) => `minmax(0, ${column.grow ?? 1}fr)`).join(' ');

  const scroller = useRef<HTMLDivElement>(null);
  const { rows, hasMore, isLoadingMore, loadMore } = source;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    getItemKey: (index) => {
      const row = rows[index];
      return row === undefined ? index : rowKey(row);
    },
  });
  const inView = virtual.getVirtualItems();
  const last = inView.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && last >= rows.length - rowsAhead) loadMore();
  }, [hasMore, isLoadingMore, last, rows.length, loadMore]);

  return (
    <div className={styles.root}>
      <div className={styles.bar}>
        {filters}
        <ColumnChooser className={styles.chooser} columns={columns} chosen={chosen} choose={choose} />
      </div>
      {source.error !== null && (
        <Problem error={source.error} title="The list could not be read" onRetry={source.retry} />
      )}
      {source.isLoading && source.error === null ? (
        <Spinner label="Asking the service" />
      ) : rows.length === 0 && source.error === null ? (
        empty
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard
        <div className={styles.scroll} ref={scroller} tabIndex={0} role="region" aria-label={label}>
          <div
            className={styles.table}
            role="table"
            aria-label={label}
            aria-rowcount={hasMore ? -1 : rows.length + 1}
          >
            <div role="rowgroup" className={styles.head}>
              <div
                role="row"
                aria-rowindex={1}
                className={styles.row}
                style={{ gridTemplateColumns: template }}
              >
                {shown.map((column) => (
                  <HeadCell key={column.key} column={column} order={order} onOrder={onOrder} />
                ))}
              </div>
            </div>
            <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
              {inView.map(({ index, key, start }) => {
                const row = rows[index];
                if (row === undefined) return null;
                return (
                  <div
                    key={key}
                    role="row"
                    aria-rowindex={index + 2}
                    className={mergeClasses(styles.row, styles.placed)}
                    style={{ gridTemplateColumns: template, transform: `translateY(${start}px)` }}
                  >
                    {shown.map((column) => (
                      <div
                        key={column.key}
                        role="cell"
                        className={mergeClasses(styles.cell, column.align === 'end' && styles.end)}
                      >
                        {column.render(row)}
                      </div>
                    ))}
                  </div>
                );
              })}
            </div>
          </div>
          {isLoadingMore && <Spinner className={styles.foot} size="tiny" label="Asking for more" />}
        </div>
      )}
    </div>
  );
}

function HeadCell<Row>({
  column,
  order,
  onOrder,
}: {
  column: Column<Row>;
  order: Order | undefined;
  onOrder: ((order: Order) => void) | undefined;
}) {
  const styles = useStyles();
  const direction = order?.key === column.key ? order.direction : undefined;
  const sortedAs = direction === undefined ? 'none' : direction === 'asc' ? 'ascending' : 'descending';
  const canSort = column.sortable === true && onOrder !== undefined;
  return (
    <div
      role="columnheader"
      {...(canSort ? { 'aria-sort': sortedAs } : {})}
      className={mergeClasses(styles.cell, column.align === 'end' && styles.end)}
    >
      {canSort ? (
        <Button
          appearance="transparent"
          className={styles.sort}
          iconPosition="after"
          icon={
            direction === undefined ? undefined : direction === 'asc' ? (
              <ArrowSortUpRegular />
            ) : (
              <ArrowSortDownRegular />
            )
          }
          onClick={() => onOrder({ key: column.key, direction: direction === 'asc' ? 'desc' : 'asc' })}
        >
          {column.title}
        </Button>
      ) : (
        column.title
      )}
    </div>
  );
}

function ColumnChooser<Row>({
  className,
  columns,
  chosen,
  choose,
}: {
  className: string;
  columns: readonly Column<Row>[];
  chosen: string[];
  choose: (keys: string[]) => void;
}) {
  return (
    <Menu
      checkedValues={{ columns: chosen }}
      onCheckedValueChange={(_event, { checkedItems }) => choose(checkedItems)}
    >
      <MenuTrigger disableButtonEnhancement>
        <Button className={className} appearance="subtle" icon={<ColumnEditRegular />}>
          Columns
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {columns.slice(1).map((column) => (
            <MenuItemCheckbox key={column.key} name="columns" value={column.key}>
              {column.title}
            </MenuItemCheckbox>
          ))}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
