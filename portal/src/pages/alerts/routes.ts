import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';

export interface AlertSearch {
  /** Also those that are over, or dismissed. */
  all?: boolean;
}

export const alertRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/alerts',
    validateSearch: (search: Record<string, unknown>): AlertSearch =>
      search.all === true ? { all: true } : {},
    component: lazyRouteComponent(() => import('./alerts-page.tsx'), 'AlertsPage'),
  }),
] as const;
