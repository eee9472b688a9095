import type { FastifyRequest } from 'fastify';
import {
  type AlertRow,
  findAlert,
  getVault,
  listAlerts,
  remembered,
  updateAlert,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { Alert } from '../client/index.ts';
import { filterWord, parseFilter } from '../filter.ts';
import { pageOf, pageWish } from '../protocol/paging.ts';
import {
  type ApiScope,
  groupPath,
  param,
  query,
  type RegisterRoutes,
  subscriptionPath,
  vaultOf,
  vaultPath,
} from '../scope.ts';

const severities = ['Critical', 'Error', 'Warning'] as const;

/** An alert as the resource that it is; undefined where its vault is gone. */
export async function presentAlert({ ids, workshop }: ApiScope, row: AlertRow): Promise<Alert | undefined> {
  const { vault_id: vaultId, host_group: group } = row;
  const place = vaultId === null ? ids.group(group ?? '') : await vaultPlace(vaultId);
  if (place === undefined) return undefined;
  return {
    id: `${place}/providers/Holdfast.Fleet/alerts/${row.alert_id}`,
    name: row.alert_id,
    type: 'Holdfast.Fleet/alerts',
    properties: {
      kind: row.kind,
      severity: severities[row.severity] ?? 'Warning',
      state: row.resolved_at !== null ? 'Resolved' : row.dismissed_at !== null ? 'Dismissed' : 'Open',
      target: row.target,
      message: row.message,
      action: row.action,
      firedAt: row.fired_at,
      ...(row.resolved_at === null ? {} : { resolvedAt: row.resolved_at }),
      ...(row.dismissed_at === null ? {} : { dismissedAt: row.dismissed_at }),
      ...(row.dismissed_by === null ? {} : { dismissedBy: row.dismissed_by }),
    },
  };

  async function vaultPlace(id: string): Promise<string | undefined> {
    const { db } = workshop;
    const vault = await remembered<VaultRow | undefined>(db, ['vaults'], `vault of alerts ${id}`, () =>
      getVault(db, id).catch(() => undefined),
    );
    return vault && ids.vault(vault);
  }
}

/** What needs attention: open alerts, and on request (`$filter=state eq 'All'`) those that are over or dismissed. */
export const registerAlerts: RegisterRoutes = (app, scope) => {
  const { db, clock } = scope.workshop;
  const path = 'providers/Holdfast.Fleet/alerts';

  app.get(`${subscriptionPath}/${path}`, async (request) => {
    const filter = parseFilter(query(request, '$filter'), ['state']);
    const isAll = filterWord(filter, 'state', ['Open', 'All']) === 'All';
    const wish = pageWish(request, ['', '']);
    const rows = await listAlerts(db, {
      withResolved: isAll,
      withDismissed: isAll,
      limit: wish.size + 1,
      after: wish.after,
    });
    const page = pageOf(request, wish, rows, (row) => [row.fired_at, row.alert_id]);
    const shown = await Promise.all(page.value.map((row) => presentAlert(scope, row)));
    return { ...page, value: shown.filter((alert) => alert !== undefined) };
  });

  // Where it goes on, it stays dismissed; where it comes again after it was over, it is another alert.
  const dismiss = async (request: FastifyRequest, belongs: (row: AlertRow) => boolean) => {
    const name = param(request, 'alert').toLowerCase();
    const row = await findAlert(db, name);
    const shown = row === undefined || !belongs(row) ? undefined : await presentAlert(scope, row);
    if (row === undefined || shown === undefined)
      throw new HoldfastError('ResourceNotFound', `There is no alert ${name.slice(0, 64)}.`, {
        target: name.slice(0, 64),
      });
    if (row.dismissed_at !== null || row.resolved_at !== null) return shown;
    const change = {
      dismissed_at: clock.now().toString({ fractionalSecondDigits: 3 }),
      dismissed_by: request.caller?.principal.name ?? null,
    };
    await updateAlert(db, row.alert_id, change);
    return presentAlert(scope, { ...row, ...change });
  };
  app.post(`${vaultPath}/${path}/:alert/dismiss`, async (request) => {
    const vault = await vaultOf(db, request);
    return dismiss(request, (row) => row.vault_id === vault.vault_id);
  });
  app.post(`${groupPath}/${path}/:alert/dismiss`, (request) => {
    const group = param(request, 'group').toLowerCase();
    return dismiss(request, (row) => row.host_group?.toLowerCase() === group);
  });
};
