import { FluentProvider, makeStyles, Spinner } from '@fluentui/react-components';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { sessionState, subscribeSession } from './api/session.ts';
import { findSession } from './api/sign-in.ts';
import { Problem } from './parts/problem.tsx';
import { router } from './router.ts';
import { SessionEnded } from './shell/session-ended.tsx';
import { SignInPage } from './shell/sign-in-page.tsx';
import { ThemeContext, useTheme } from './shell/theme.ts';

const retryMs = 5_000;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What was refused is refused again; only what did not arrive is tried again, and not for ever.
      retry: (failures, error) => failures < 2 && error.name === 'ConnectionError',
      refetchOnWindowFocus: true,
      // What a browser thinks of the network says nothing of the service, which may be on the same machine.
      networkMode: 'always',
      refetchOnReconnect: true,
      // What did not arrive is asked for again until it does, as long as it is looked at.
      refetchInterval: ({ state }) => (state.error?.name === 'ConnectionError' ? retryMs : false),
    },
    mutations: { networkMode: 'always' },
  },
});

const useStyles = makeStyles({ wait: { height: '100%' } });

export function App() {
  const theme = useTheme();
  return (
    <FluentProvider theme={theme.theme}>
      <ThemeContext value={theme}>
        <QueryClientProvider client={queries}>
          <SignedIn />
        </QueryClientProvider>
      </ThemeContext>
    </FluentProvider>
  );
}

/** The pages for whoever is signed in; signing in for everybody else. */
function SignedIn() {
  const styles = useStyles();
  const state = useSyncExternalStore(subscribeSession, sessionState);
  const [error, setError] = useState<unknown>();
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each try looks anew
  useEffect(() => {
    setError(undefined);
    findSession().catch(setError);
  }, [tries]);

  if (error !== undefined && state.kind === 'unknown')
    return (
      <main>
        <Problem error={error} title="The portal can't be shown" onRetry={() => setTries(tries + 1)} />
      </main>
    );
  if (state.kind === 'unknown')
    return <Spinner className={styles.wait} label="Looking who is signed in" delay={300} />;
  if (state.kind === 'signed-out') return <SignInPage />;
  return (
    <>
      <RouterProvider router={router} />
      {state.kind === 'ended' && <SessionEnded userName={state.session.userName} />}
    </>
  );
}
