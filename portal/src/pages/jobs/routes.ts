import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readJobSearch } from './job-search.ts';

export const jobRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/jobs',
    validateSearch: readJobSearch,
    component: lazyRouteComponent(() => import('./jobs-page.tsx'), 'JobsPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/jobs/$job',
    component: lazyRouteComponent(() => import('./job-page.tsx'), 'JobPage'),
  }),
] as const;
