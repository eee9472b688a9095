import {
  Breadcrumb,
  BreadcrumbButton,
  BreadcrumbDivider,
  BreadcrumbItem,
  makeStyles,
  Title2,
  tokens,
} from '@fluentui/react-components';
import { useNavigate } from '@tanstack/react-router';
import { Fragment, type ReactNode, useEffect } from 'react';

const useStyles = makeStyles({
  root: {
    display: 'flex',
    flexDirection: 'column',
    rowGap: tokens.spacingVerticalM,
    padding: `${tokens.spacingVerticalM} ${tokens.spacingHorizontalXXL} ${tokens.spacingVerticalXXL}`,
    minWidth: 0,
    boxSizing: 'border-box',
    '@media (max-width: 640px)': { padding: tokens.spacingHorizontalM },
  },
  fill: { height: '100%' },
  here: {
    padding: `0 ${tokens.spacingHorizontalSNudge}`,
    fontSize: tokens.fontSizeBase200,
    fontWeight: tokens.fontWeightSemibold,
  },
  head: { display: 'flex', flexWrap: 'wrap', alignItems: 'baseline', columnGap: tokens.spacingHorizontalM },
  kind: { color: tokens.colorNeutralForeground3 },
  commands: {
    display: 'flex',
    flexWrap: 'wrap',
    columnGap: tokens.spacingHorizontalXS,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    paddingBottom: tokens.spacingVerticalXS,
  },
});

export interface Crumb {
  text: string;
  /** Address of the page, as it is written after `/portal`. */
  to: string;
}

interface PageProps {
  title: string;
  /** What the thing of the title is, in Azure's words: `Recovery Services vault`. */
  kind?: string;
  crumbs?: readonly Crumb[];
  commands?: ReactNode;
  /** The page is as high as the window, and something in it scrolls. */
  fill?: boolean;
  children: ReactNode;
}

/** What every page begins with: where it is, its heading, and what can be done here. */
export function Page({ title, kind, crumbs = [], commands, fill = false, children }: PageProps) {
  const styles = useStyles();
  const navigate = useNavigate();
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
  return (
    <div className={`${styles.root} ${fill ? styles.fill : ''}`}>
      {crumbs.length > 0 && (
        <Breadcrumb aria-label="Where this page is" size="small">
          {crumbs.map(({ text, to }) => (
            <Fragment key={to}>
              <BreadcrumbItem>
                <BreadcrumbButton
                  as="a"
                  href={`/portal${to}`}
                  onClick={(event) => {
                    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                    event.preventDefault();
                    void navigate({ to });
                  }}
                >
                  {text}
                </BreadcrumbButton>
              </BreadcrumbItem>
              <BreadcrumbDivider />
            </Fragment>
          ))}
          <BreadcrumbItem>
            <span className={styles.here} aria-current="page">
              {title}
            </span>
          </BreadcrumbItem>
        </Breadcrumb>
      )}
      <div className={styles.head}>
        <Title2 as="h1">{title}</Title2>
        {kind !== undefined && <span className={styles.kind}>{kind}</span>}
      </div>
      {commands !== undefined && (
        <div className={styles.commands} role="toolbar" aria-label="Commands">
          {commands}
        </div>
      )}
      {children}
    </div>
  );
}
