import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Alert, createClient, type HoldfastClient } from '../../src/api/client/index.ts';
import { insertAlert, saveUpkeep, updateItem } from '../../src/catalog/index.ts';
import { lookForAlerts } from '../../src/jobs/index.ts';
import { type ApiServer, createApiServer, subscriptionId } from '../support/api-server.ts';

let server: ApiServer;
let client: HoldfastClient;
let endpoint: string;

beforeEach(async () => {
  server = await createApiServer();
  endpoint = await server.app.listen({ host: '127.0.0.1', port: 0 });
  client = createClient({ endpoint, token: server.token, ca: server.ca });
  const { db } = server.estate.workshop;
  await saveUpkeep(db, 'v1', { verify_every_days: 0 });
  await updateItem(db, 'i1', { last_backup_status: 'Failed' });
  await lookForAlerts(server.estate.workshop, { withHosts: false });
  await insertAlert(db, {
    alert_id: 'of-the-host',
    subject: 'host memory',
    kind: 'HostUnreachable',
    severity: 1,
    vault_id: null,
    host_group: 'default',
    target: 'memory',
    message: "Host 'memory' does not answer.",
    action: 'Look at it.',
    fired_at: '2026-01-01T00:00:00.000Z',
    resolved_at: null,
    dismissed_at: null,
    dismissed_by: null,
  });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  expect(server.errors).toEqual([]);
});

const vaultId = `/subscriptions/${subscriptionId}/resourceGroups/default/providers/Microsoft.RecoveryServices/vaults/Main`;
const kinds = (alerts: readonly Alert[]) => alerts.map(({ properties }) => properties.kind).toSorted();

/** A client of the API with one role. */
async function clientWith(role: string, scope: string): Promise<HoldfastClient> {
  const name = `${role}-${Math.random().toString(36).slice(2)}`;
  const { credentials } = await client.clients.create(name, { properties: { role, scope } });
  const answer = await server.app.inject({
    method: 'POST',
    url: `/${credentials.tenantId}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      scope: 'https://management.azure.com/.default',
    }).toString(),
  });
  return createClient({ endpoint, token: answer.json().access_token, ca: server.ca, subscriptionId });
}

it('lists what needs attention to those who see it, with what to do', async () => {
  const alerts = await client.alerts.list();
  expect(kinds(alerts)).toEqual(['BackupFailed', 'HostUnreachable']);
  const backup = alerts.find(({ properties }) => properties.kind === 'BackupFailed');
  expect(backup).toMatchObject({
    type: 'Holdfast.Fleet/alerts',
    properties: { severity: 'Error', state: 'Open', target: 'web' },
  });
  expect(backup?.id.startsWith(`${vaultId}/providers/Holdfast.Fleet/alerts/`)).toBe(true);
  expect(backup?.properties.action).not.toBe('');
  const ofVault = await clientWith('Reader', vaultId);
  expect(kinds(await ofVault.alerts.list())).toEqual(['BackupFailed']);
  await expect(ofVault.alerts.dismiss(backup?.id ?? '')).rejects.toMatchObject({
    code: 'AuthorizationFailed',
  });
});

it('puts away what an operator dismisses, and keeps what was', async () => {
  const operator = await clientWith('Operator', vaultId);
  const [alert] = await operator.alerts.list();
  const dismissed = await operator.alerts.dismiss(alert?.id ?? '');
  expect(dismissed.properties).toMatchObject({ state: 'Dismissed' });
  expect(dismissed.properties.dismissedBy).toMatch(/^Operator-/);
  expect(await operator.alerts.dismiss(alert?.id ?? '')).toEqual(dismissed);
  await lookForAlerts(server.estate.workshop, { withHosts: false });
  expect(await operator.alerts.list()).toEqual([]);
  expect((await operator.alerts.list({ all: true })).map(({ properties }) => properties.state)).toEqual([
    'Dismissed',
  ]);
  await updateItem(server.estate.workshop.db, 'i1', { last_backup_status: 'Completed' });
  await lookForAlerts(server.estate.workshop, { withHosts: false });
  expect((await operator.alerts.list({ all: true }))[0]?.properties.state).toBe('Resolved');
});

it('knows an alert only by the place that it belongs to', async () => {
  const alerts = await client.alerts.list();
  const host = alerts.find(({ properties }) => properties.kind === 'HostUnreachable');
  const group = `/subscriptions/${subscriptionId}/resourceGroups/default`;
  expect(host?.id).toBe(`${group}/providers/Holdfast.Fleet/alerts/of-the-host`);
  for (const id of [
    `${vaultId}/providers/Holdfast.Fleet/alerts/of-the-host`,
    `${group}x/providers/Holdfast.Fleet/alerts/of-the-host`,
    `${group}/providers/Holdfast.Fleet/alerts/none`,
  ])
    await expect(client.alerts.dismiss(id)).rejects.toMatchObject({ code: 'ResourceNotFound' });
  expect((await client.alerts.dismiss(host?.id ?? '')).properties.state).toBe('Dismissed');
});
