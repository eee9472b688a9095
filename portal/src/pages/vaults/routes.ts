import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { rootRoute } from '../../root-route.ts';
import { readVaultSearch } from './vault-search.ts';

export const vaultRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults',
    component: lazyRouteComponent(() => import('./vaults-page.tsx'), 'VaultsPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/new',
    component: lazyRouteComponent(() => import('./new-vault-page.tsx'), 'NewVaultPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault',
    validateSearch: readVaultSearch,
    component: lazyRouteComponent(() => import('./vault-page.tsx'), 'VaultPage'),
  }),
] as const;
