import { createRootRoute } from '@tanstack/react-router';
import { PageFailed, PageNotFound } from './shell/page-failed.tsx';
import { Shell } from './shell/shell.tsx';

/** The parent of all pages. */
export const rootRoute = createRootRoute({
  component: Shell,
  errorComponent: PageFailed,
  notFoundComponent: PageNotFound,
});
