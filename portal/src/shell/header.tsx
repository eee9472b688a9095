import {
  Button,
  Menu,
  MenuDivider,
  MenuGroup,
  MenuGroupHeader,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  makeStyles,
  mergeClasses,
  tokens,
} from '@fluentui/react-components';
import { NavigationRegular, PersonRegular } from '@fluentui/react-icons';
import { Link } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { useLiveness } from '../api/events.ts';
import { sessionState, subscribeSession } from '../api/session.ts';
import { signOut } from '../api/sign-in.ts';
import { spaced } from '../parts/format.ts';
import { Status } from '../parts/status.tsx';
import { addNotice } from './notices.ts';
import { NotificationCentre } from './notification-centre.tsx';
import { themeChoices, useThemeSetting } from './theme.ts';

const useStyles = makeStyles({
  root: {
    display: 'flex',
    alignItems: 'center',
    columnGap: tokens.spacingHorizontalS,
    padding: `${tokens.spacingVerticalXS} ${tokens.spacingHorizontalM}`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  name: {
    fontSize: tokens.fontSizeBase400,
    fontWeight: tokens.fontWeightSemibold,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: 'none',
  },
  rest: { marginInlineStart: 'auto' },
});

interface HeaderProps {
  className: string;
  navIsOpen: boolean;
  onToggleNav(): void;
}

export function Header({ className, navIsOpen, onToggleNav }: HeaderProps) {
  const styles = useStyles();
  const liveness = useLiveness();
  return (
    <header className={mergeClasses(styles.root, className)}>
      <Button
        appearance="subtle"
        icon={<NavigationRegular />}
        aria-label={navIsOpen ? 'Make the menu narrow' : 'Make the menu wide'}
        aria-expanded={navIsOpen}
        onClick={onToggleNav}
      />
      <Link to="/" className={styles.name}>
        Holdfast
      </Link>
      <span className={styles.rest} aria-live="polite">
        {liveness === 'interrupted' && <Status tone="warning">Connection lost; trying again</Status>}
      </span>
      <NotificationCentre />
      <PersonMenu />
    </header>
  );
}

function PersonMenu() {
  const state = useSyncExternalStore(subscribeSession, sessionState);
  const { choice, choose } = useThemeSetting();
  const name = 'session' in state ? state.session.userName : '';
  const leave = () =>
    void signOut().catch((error: unknown) =>
      addNotice({ title: 'You are still signed in', state: 'failed', detail: String(error) }),
    );
  return (
    <Menu
      checkedValues={{ theme: [choice] }}
      onCheckedValueChange={(_event, { checkedItems: [chosen] }) =>
        choose(themeChoices.find((known) => known === chosen) ?? 'system')
      }
    >
      <MenuTrigger disableButtonEnhancement>
        <Button appearance="subtle" icon={<PersonRegular />}>
          {name}
        </Button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuGroup>
            <MenuGroupHeader>Colours</MenuGroupHeader>
            {themeChoices.map((value) => (
              <MenuItemRadio key={value} name="theme" value={value}>
                {spaced(value)}
              </MenuItemRadio>
            ))}
          </MenuGroup>
          <MenuDivider />
          <MenuItem onClick={leave}>Sign out</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
