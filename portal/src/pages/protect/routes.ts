import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readProtectSearch } from './protect-search.ts';

export const protectRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/protect',
    validateSearch: readProtectSearch,
    component: lazyRouteComponent(() => import('./protect-page.tsx'), 'ProtectPage'),
  }),
] as const;
