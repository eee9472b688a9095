import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readMachineSearch } from './machine-search.ts';

export const machineRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/machines',
    validateSearch: readMachineSearch,
    component: lazyRouteComponent(() => import('./machines-page.tsx'), 'MachinesPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/machines/$group/$vm',
    component: lazyRouteComponent(() => import('./machine-page.tsx'), 'MachinePage'),
  }),
] as const;
