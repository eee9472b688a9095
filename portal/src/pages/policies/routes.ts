import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { oneOf, textIn } from '../../parts/search.ts';
import { rootRoute } from '../../root-route.ts';
import { type ItemSearch, readItemSearch } from '../items/item-search.ts';

/** What of a policy is shown; the filters are those of its items. */
interface PolicySearch extends Omit<ItemSearch, 'policy'> {
  tab?: 'items' | undefined;
}

function readPolicySearch(raw: Record<string, unknown>): PolicySearch {
  const tab = oneOf(raw, 'tab', ['items']);
  if (tab === undefined) return {};
  const { policy: _ofTheAddress, ...search } = readItemSearch(raw);
  return { tab, ...search };
}

export const policyRoutes = [
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/new-policy',
    validateSearch: (raw: Record<string, unknown>): { from?: string | undefined } => ({
      from: textIn(raw, 'from'),
    }),
    component: lazyRouteComponent(() => import('./new-policy-page.tsx'), 'NewPolicyPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/policies/$policy',
    validateSearch: readPolicySearch,
    component: lazyRouteComponent(() => import('./policy-page.tsx'), 'PolicyPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/policies/$policy/edit',
    component: lazyRouteComponent(() => import('./edit-policy-page.tsx'), 'EditPolicyPage'),
  }),
  createRoute({
    getParentRoute: () => rootRoute,
    path: '/vaults/$group/$vault/policies/$policy/crash-consistent',
    component: lazyRouteComponent(() => import('./crash-consistent-page.tsx'), 'CrashConsistentPage'),
  }),
] as const;
