import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readItemSearch } from './item-search.ts';

export const itemRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/items',
    validateSearch: readItemSearch,
    component: lazyRouteComponent(() => import('./items-page.tsx'), 'ItemsPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/items/$vmGroup/$vm',
    component: lazyRouteComponent(() => import('./item-page.tsx'), 'ItemPage'),
  }),
] as const;
