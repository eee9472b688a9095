import { useInfiniteQuery } from '@tanstack/react-query';

interface Page<Row> {
  value: Row[];
  nextLink?: string | undefined;
}

/** A list as a table wants it: the rows that have come so far, and how to get more. */
export interface RowSource<Row> {
  rows: readonly Row[];
  isLoading: boolean;
  isLoadingMore: boolean;
  error: Error | null;
  hasMore: boolean;
  loadMore(): void;
  retry(): void;
}

/** Rows of a list of the service, page by page. @param ask one page; without `nextLink` the first */
export function useRows<Row>(
  key: readonly unknown[],
  ask: (nextLink: string | undefined) => Promise<Page<Row>>,
): RowSource<Row> {
  const found = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => ask(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<Row>) => page.nextLink,
    placeholderData: (before) => before,
  });
  return {
    rows: found.data?.pages.flatMap((page) => page.value) ?? [],
    isLoading: found.isPending,
    isLoadingMore: found.isFetchingNextPage,
    error: found.error,
    hasMore: found.hasNextPage,
    loadMore: () => void found.fetchNextPage(),
    retry: () => void found.refetch(),
  };
}
