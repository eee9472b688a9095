import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';

export const hostRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/hosts',
    component: lazyRouteComponent(() => import('./hosts-page.tsx'), 'HostsPage'),
  }),
] as const;
