import { useQuery } from '@tanstack/react-query';
import type { RowSource } from './lists.ts';

/** A list that the service gives as a whole, as a source of rows; what is wanted of it is chosen here. */
export function useWholeList<Row>(
  key: readonly unknown[],
  ask: () => Promise<Row[]>,
  isWanted: (row: Row) => boolean = () => true,
): RowSource<Row> {
  const found = useQuery({ queryKey: key, queryFn: ask });
  return {
    rows: (found.data ?? []).filter(isWanted),
    isLoading: found.isPending,
    isLoadingMore: false,
    error: found.error,
    hasMore: false,
    loadMore: () => {},
    retry: () => void found.refetch(),
  };
}
