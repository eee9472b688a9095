import { getRouteApi } from '@tanstack/react-router';
import { Page } from '../../parts/page.tsx';
import { ItemsTable } from './items-table.tsx';

const route = getRouteApi('/items');

export function ItemsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title="Backup items" fill>
      <ItemsTable
        search={search}
        onSearch={(change) =>
          void navigate({ search: (before) => ({ ...before, ...change }), replace: true })
        }
      />
    </Page>
  );
}
