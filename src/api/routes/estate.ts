import {
  countPoints,
  type ItemRow,
  listItems,
  listJobs,
  listVaults,
  newestPoints,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Overview } from '../client/index.ts';
import { filterWord, parseFilter } from '../filter.ts';
import { overviewOf } from '../overview.ts';
import { presentItem } from '../present-item.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import { query, type RegisterRoutes, subscriptionPath } from '../scope.ts';
import { presentJob, wantedJobs } from './jobs.ts';

const fleet = `${subscriptionPath}/providers/Holdfast.Fleet`;

const itemStates = [
  'IRPending',
  'Protected',
  'ProtectionError',
  'ProtectionStopped',
  'BackupsSuspended',
  'SoftDeleted',
] as const;

/** What items can be ordered by; the VM's name breaks ties. */
const orders: Record<string, (item: ItemRow) => string> = {
  friendlyname: (item) => item.vm_name.toLowerCase(),
  protectionstate: (item) => item.state,
  policyname: (item) => item.policy_name?.toLowerCase() ?? '',
  lastbackupstatus: (item) => item.last_backup_status,
  lastbackuptime: (item) => item.last_backup_at ?? '',
};

/** What Azure shows of many vaults at once in its portal, and has no address for: all items, all jobs, the sums. */
export const registerEstate: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;
  const vaultsById = async () => new Map((await listVaults(db)).map((vault) => [vault.vault_id, vault]));
  /** Id of the vault that a filter names; `none` where there is no such vault, so that nothing is found. */
  const vaultNamed = async (vaultId: string | undefined) => {
    if (vaultId === undefined) return undefined;
    const vaults = await vaultsById();
    const wanted = vaultId.toLowerCase();
    return (
      [...vaults.values()].find((vault) => scope.ids.vault(vault).toLowerCase() === wanted)?.vault_id ??
      'none'
    );
  };

  app.get(
    `${fleet}/overview`,
    async ({ caller }): Promise<Overview> => overviewOf(scope, (id) => caller?.grants.sees(id) === true),
  );

  app.get(`${fleet}/jobs`, async (request) => {
    const fields = ['status', 'operation', 'startTime', 'endTime', 'entityFriendlyName', 'vaultId'];
    const filter = parseFilter(query(request, '$filter'), fields);
    const wish = pageWish(request, ['', '']);
    const entity = filter.get('entityfriendlyname');
    const [vaultId, vaults] = await Promise.all([vaultNamed(filter.get('vaultid')), vaultsById()]);
    const rows = await listJobs(
      db,
      vaultId,
      { ...wantedJobs(filter), ...(entity === undefined ? {} : { entity }) },
      { limit: wish.size + 1, after: wish.after },
    );
    const page = pageOf(request, wish, rows, (job) => [job.started_at, job.job_id]);
    return {
      ...page,
      value: page.value.flatMap((job) => {
        const vault = vaults.get(job.vault_id);
        return vault === undefined ? [] : [presentJob(scope, vault, job, undefined)];
      }),
    };
  });

  app.get(`${fleet}/protectedItems`, async (request) => {
    const fields = ['friendlyName', 'policyName', 'protectionState', 'lastBackupStatus', 'vaultId'];
    const filter = parseFilter(query(request, '$filter'), fields);
    const state = filterWord(filter, 'protectionState', itemStates);
    const wish = pageWish(request, ['', '', '']);
    const vaultId = await vaultNamed(filter.get('vaultid'));
    const vaults = await vaultsById();
    const part = filter.get('friendlyname')?.toLowerCase() ?? '';
    const policy = filter.get('policyname')?.toLowerCase();
    const status = filter.get('lastbackupstatus')?.toLowerCase();
    const items = (await listItems(db, vaultId)).filter(
      (item) =>
        item.vm_name.toLowerCase().includes(part) &&
        (state === undefined || item.state === state) &&
        (policy === undefined || item.policy_name?.toLowerCase() === policy) &&
        (status === undefined || item.last_backup_status.toLowerCase() === status),
    );
    const { keyOf, compare } = orderOf(query(request, '$orderby'));
    const { after } = wish;
    const rest = items
      .map((item) => ({ item, key: keyOf(item) }))
      .filter(({ key }) => after === undefined || compare(key, after) > 0)
      .sort((a, b) => compare(a.key, b.key))
      .slice(0, wish.size + 1);
    const page = pageOf(request, wish, rest, ({ key }) => key);
    const itemIds = page.value.map(({ item }) => item.item_id);
    const [counts, newest] = await Promise.all([countPoints(db, itemIds), newestPoints(db, itemIds)]);
    return {
      ...page,
      value: page.value.flatMap(({ item }) => {
        const vault = vaults.get(item.vault_id);
        if (vault === undefined) return [];
        const count = counts.get(item.item_id) ?? 0;
        return [presentItem(scope, vault, item, count, newest.get(item.item_id))];
      }),
    };
  });
};

type ItemKey = readonly [ordered: string, name: string, id: string];

/** How items are ordered: by what is wished, then by name; the id makes it one order. @throws InvalidInput */
function orderOf(wish = 'friendlyName'): {
  keyOf(item: ItemRow): ItemKey;
  compare(a: ItemKey, b: ItemKey): number;
} {
  const [field = '', direction = 'asc', ...more] = wish.trim().toLowerCase().split(/\s+/);
  const key = Object.hasOwn(orders, field) ? orders[field] : undefined;
  if (key === undefined || more.length > 0 || !['asc', 'desc'].includes(direction))
    throw new HoldfastError('InvalidInput', `$orderby: '${wish.slice(0, 80)}' is not understood.`, {
      target: '$orderby',
      action:
        'Order by friendlyName, protectionState, policyName, lastBackupStatus or lastBackupTime, asc or desc.',
    });
  const sign = direction === 'asc' ? 1 : -1;
  return {
    keyOf: (item) => [key(item), item.vm_name.toLowerCase(), item.item_id],
    compare: (a, b) =>
      sign * compareTexts(a[0], b[0]) || compareTexts(a[1], b[1]) || compareTexts(a[2], b[2]),
  };
}

const compareTexts = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
