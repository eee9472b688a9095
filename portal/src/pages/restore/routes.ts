import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readRestoreSearch } from './restore-search.ts';

export const restoreRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/items/$vmGroup/$vm/restore',
    validateSearch: readRestoreSearch,
    component: lazyRouteComponent(() => import('./restore-page.tsx'), 'RestorePage'),
  }),
] as const;
