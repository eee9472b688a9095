import { makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { Link } from '@tanstack/react-router';
import { navGroups } from './nav-items.ts';

const useStyles = makeStyles({
  menu: {
    width: '14rem',
    boxSizing: 'border-box',
    padding: tokens.spacingHorizontalS,
    overflow: 'auto',
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  narrow: { width: '3.25rem' },
  list: { listStyleType: 'none', margin: 0, padding: 0 },
  title: {
    margin: `${tokens.spacingVerticalM} ${tokens.spacingHorizontalS} ${tokens.spacingVerticalXS}`,
    fontSize: tokens.fontSizeBase200,
    fontWeight: tokens.fontWeightSemibold,
    color: tokens.colorNeutralForeground3,
  },
  link: {
    display: 'flex',
    alignItems: 'center',
    columnGap: tokens.spacingHorizontalS,
    padding: tokens.spacingHorizontalS,
    borderRadius: tokens.borderRadiusMedium,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: 'none',
    fontSize: tokens.fontSizeBase300,
    lineHeight: tokens.lineHeightBase300,
    whiteSpace: 'nowrap',
    ':hover': { backgroundColor: tokens.colorNeutralBackground2Hover },
    ':focus-visible': { outline: `2px solid ${tokens.colorStrokeFocus2}` },
    '& svg': { width: '20px', height: '20px', flexShrink: 0 },
    '&[aria-current="page"]': {
      backgroundColor: tokens.colorNeutralBackground1Selected,
      fontWeight: tokens.fontWeightSemibold,
    },
  },
});

export function Navigation({ isOpen }: { isOpen: boolean }) {
  const styles = useStyles();
  return (
    <nav className={mergeClasses(styles.menu, !isOpen && styles.narrow)} aria-label="Pages">
      {navGroups.map(({ title, items }) => (
        <div key={title ?? ''}>
          {title !== undefined && isOpen && <div className={styles.title}>{title}</div>}
          <ul className={styles.list}>
            {items.map(({ text, to, icon: Icon }) => (
              <li key={to}>
                <Link
                  to={to}
                  className={styles.link}
                  title={isOpen ? undefined : text}
                  aria-label={isOpen ? undefined : text}
                  activeOptions={{ exact: to === '/', includeSearch: false }}
                >
                  <Icon />
                  {isOpen && text}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
