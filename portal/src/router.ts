import { createRouter } from '@tanstack/react-router';
import { alertRoutes } from './pages/alerts/routes.ts';
import { hostRoutes } from './pages/hosts/routes.ts';
import { itemRoutes } from './pages/items/routes.ts';
import { jobRoutes } from './pages/jobs/routes.ts';
import { machineRoutes } from './pages/machines/routes.ts';
import { overviewRoutes } from './pages/overview/routes.ts';
import { policyRoutes } from './pages/policies/routes.ts';
import { protectRoutes } from './pages/protect/routes.ts';
import { restoreRoutes } from './pages/restore/routes.ts';
import { settingsRoutes } from './pages/settings/routes.ts';
import { vaultRoutes } from './pages/vaults/routes.ts';
import { rootRoute } from './root-route.ts';
import { PageFailed } from './shell/page-failed.tsx';

/** All pages; each folder of `pages` has its own, loaded when they are first shown. */
export const router = createRouter({
  basepath: '/portal',
  routeTree: rootRoute.addChildren([
    ...overviewRoutes,
    ...machineRoutes,
    ...itemRoutes,
    ...protectRoutes,
    ...restoreRoutes,
    ...vaultRoutes,
    ...policyRoutes,
    ...jobRoutes,
    ...alertRoutes,
    ...hostRoutes,
    ...settingsRoutes,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
