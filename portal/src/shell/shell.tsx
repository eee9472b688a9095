import { makeStyles, tokens } from '@fluentui/react-components';
import { Outlet } from '@tanstack/react-router';
import { Suspense, useState } from 'react';
import { useLiveUpdates } from '../api/events.ts';
import { Header } from './header.tsx';
import { Navigation } from './navigation.tsx';

const useStyles = makeStyles({
  root: {
    height: '100%',
    display: 'grid',
    gridTemplateRows: 'auto minmax(0, 1fr)',
    gridTemplateColumns: 'auto minmax(0, 1fr)',
    backgroundColor: tokens.colorNeutralBackground1,
  },
  header: { gridColumn: '1 / -1' },
  main: { overflow: 'auto', minWidth: 0 },
  skip: {
    position: 'absolute',
    insetInlineStart: '-100vw',
    ':focus': {
      insetInlineStart: tokens.spacingHorizontalM,
      top: tokens.spacingVerticalM,
      zIndex: 10,
      padding: tokens.spacingHorizontalS,
      backgroundColor: tokens.colorNeutralBackground1,
      color: tokens.colorBrandForegroundLink,
    },
  },
});

/** What is around every page. */
export function Shell() {
  const styles = useStyles();
  const [navIsOpen, setNavIsOpen] = useState(window.matchMedia('(min-width: 900px)').matches);
  useLiveUpdates();
  return (
    <div className={styles.root}>
      <a className={styles.skip} href="#main">
        Skip to the page
      </a>
      <Header className={styles.header} navIsOpen={navIsOpen} onToggleNav={() => setNavIsOpen(!navIsOpen)} />
      <Navigation isOpen={navIsOpen} />
      <main id="main" className={styles.main} tabIndex={-1}>
        <Suspense>
          <Outlet />
        </Suspense>
      </main>
    </div>
  );
}
