import type { ItemAddress, VaultAddress } from '../../../src/api/client/browser.ts';

/** Names of what is kept of the service's answers: the first word says which changes make it stale. */
export const keys = {
  overview: ['overview'] as const,
  alerts: (all: boolean) => ['alerts', all] as const,
  hosts: ['hosts'] as const,
  people: ['people'] as const,
  clients: ['clients'] as const,
  roles: ['roles'] as const,
  audit: (query: object) => ['audit', query] as const,
  machines: ['machines'] as const,
  machine: (group: string, name: string) => ['machines', group, name] as const,
  protectable: (at: VaultAddress) => ['machines', 'protectable', at.resourceGroup, at.vault] as const,
  vaults: ['vaults'] as const,
  vault: (at: VaultAddress) => ['vaults', at.resourceGroup, at.vault] as const,
  store: (at: VaultAddress) => ['stores', at.resourceGroup, at.vault] as const,
  policies: (at: VaultAddress) => ['policies', at.resourceGroup, at.vault] as const,
  policy: (at: VaultAddress, name: string) => ['policies', at.resourceGroup, at.vault, name] as const,
  items: (query: object) => ['items', query] as const,
  item: (at: ItemAddress) => ['items', at] as const,
  points: (at: ItemAddress) => ['points', at] as const,
  jobs: (query: object) => ['jobs', query] as const,
  job: (id: string) => ['job', id] as const,
};
