import { getRouteApi } from '@tanstack/react-router';
import { Page } from '../../parts/page.tsx';
import { JobsTable } from './jobs-table.tsx';

const route = getRouteApi('/jobs');

export function JobsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Page title="Jobs" fill>
      <JobsTable
        search={search}
        onSearch={(change) =>
          void navigate({ search: (before) => ({ ...before, ...change }), replace: true })
        }
      />
    </Page>
  );
}
