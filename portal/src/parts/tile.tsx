import { Card, makeStyles, Subtitle2, tokens } from '@fluentui/react-components';
import type { ReactNode } from 'react';

const useStyles = makeStyles({
  tiles: {
    display: 'grid',
    gridTemplateColumns: 'repeat(auto-fit, minmax(min(24rem, 100%), 1fr))',
    gap: tokens.spacingHorizontalL,
  },
  figures: {
    display: 'flex',
    flexWrap: 'wrap',
    columnGap: tokens.spacingHorizontalXXL,
    rowGap: tokens.spacingVerticalS,
  },
  figure: { display: 'flex', flexDirection: 'column' },
  number: { fontSize: tokens.fontSizeHero700, lineHeight: tokens.lineHeightHero700 },
  label: { color: tokens.colorNeutralForeground2 },
});

export function Tiles({ children }: { children: ReactNode }) {
  return <div className={useStyles().tiles}>{children}</div>;
}

/** A few numbers under one heading. */
export function Tile({ title, children }: { title: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <Card role="group" aria-label={title}>
      <Subtitle2 as="h2">{title}</Subtitle2>
      <div className={styles.figures}>{children}</div>
    </Card>
  );
}

/** A number with what it counts; `children` is often a link to what is counted. */
export function Figure({ value, children }: { value: ReactNode; children: ReactNode }) {
  const styles = useStyles();
  return (
    <div className={styles.figure}>
      <span className={styles.number}>{value}</span>
      <span className={styles.label}>{children}</span>
    </div>
  );
}
