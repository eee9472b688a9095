import {
  AlertRegular,
  DesktopRegular,
  DocumentSearchRegular,
  HomeRegular,
  PeopleRegular,
  PersonKeyRegular,
  PlugConnectedRegular,
  ServerRegular,
  ShieldTaskRegular,
  TaskListLtrRegular,
  VaultRegular,
} from '@fluentui/react-icons';
import type { ComponentType } from 'react';

export interface NavItem {
  text: string;
  to: string;
  icon: ComponentType;
}

/** The menu at the left, by group. A page that is added gets a line here and one in `router.ts`. */
export const navGroups: readonly { title?: string; items: readonly NavItem[] }[] = [
  { items: [{ text: 'Overview', to: '/', icon: HomeRegular }] },
  {
    title: 'Protection',
    items: [
      { text: 'Virtual machines', to: '/machines', icon: DesktopRegular },
      { text: 'Backup items', to: '/items', icon: ShieldTaskRegular },
      { text: 'Vaults', to: '/vaults', icon: VaultRegular },
    ],
  },
  {
    title: 'Monitoring',
    items: [
      { text: 'Jobs', to: '/jobs', icon: TaskListLtrRegular },
      { text: 'Alerts', to: '/alerts', icon: AlertRegular },
    ],
  },
  {
    title: 'Manage',
    items: [
      { text: 'Hosts', to: '/hosts', icon: ServerRegular },
      { text: 'Users', to: '/people', icon: PeopleRegular },
      { text: 'Clients', to: '/clients', icon: PlugConnectedRegular },
      { text: 'Role assignments', to: '/roles', icon: PersonKeyRegular },
      { text: 'Audit log', to: '/audit', icon: DocumentSearchRegular },
    ],
  },
];
