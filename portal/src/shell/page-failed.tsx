import { Button } from '@fluentui/react-components';
import { useRouter } from '@tanstack/react-router';
import { PageLink } from '../parts/links.tsx';
import { Page } from '../parts/page.tsx';
import { Problem } from '../parts/problem.tsx';

/** Instead of a page that threw; the rest of the portal goes on. */
export function PageFailed({ error, reset }: { error: unknown; reset: () => void }) {
  const router = useRouter();
  const retry = () => {
    reset();
    void router.invalidate();
  };
  // After an update of the service, a page that was open before asks for scripts that are gone.
  const isOld = error instanceof TypeError && /import|module/i.test(error.message);
  return (
    <Page title="This page can't be shown">
      {isOld ? (
        <p>
          The portal has been updated. <Button onClick={() => window.location.reload()}>Load it anew</Button>
        </p>
      ) : (
        <Problem error={error} onRetry={retry} />
      )}
    </Page>
  );
}

export function PageNotFound() {
  return (
    <Page title="There is no such page">
      <p>
        The address leads nowhere. <PageLink to="/">Go to the overview</PageLink>
      </p>
    </Page>
  );
}
