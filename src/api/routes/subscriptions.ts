import { listHosts, listResourceGroups, settingOrNew } from '../../catalog/index.ts';
import type { Location, Subscription } from '../client/index.ts';
import { query, type RegisterRoutes, subscriptionPath } from '../scope.ts';

/** Microsoft.Resources: the one subscription of the service, its tenant, and the regions its hosts and vaults are in. */
export const registerSubscriptions: RegisterRoutes = (app, scope) => {
  const { db } = scope.workshop;
  const id = `/subscriptions/${scope.subscriptionId}`;
  const tenantId = () => settingOrNew(db, 'tenantId', () => crypto.randomUUID());
  const subscription = async (): Promise<Subscription> => ({
    id,
    subscriptionId: scope.subscriptionId,
    tenantId: await tenantId(),
    displayName: 'Holdfast',
    state: 'Enabled',
  });
  const region = (name: string): Location => ({
    id: `${id}/locations/${name}`,
    subscriptionId: scope.subscriptionId,
    name,
    type: 'Region',
    displayName: name,
    regionalDisplayName: name,
    metadata: { regionType: 'Physical', regionCategory: 'Recommended' },
  });

  app.get('/subscriptions', async () => ({ value: [await subscription()] }));
  app.get(subscriptionPath, async () => subscription());
  app.get('/tenants', async () => {
    const id = await tenantId();
    return { value: [{ id: `/tenants/${id}`, tenantId: id, displayName: 'Holdfast' }] };
  });

  app.get(`${subscriptionPath}/locations`, async (request) => {
    const hosts = await listHosts(db);
    const names = new Map(
      [...hosts, ...(await listResourceGroups(db))].map((row) => [row.location.toLowerCase(), row.location]),
    );
    const zones = new Map(
      hosts.flatMap(({ zone, location }) =>
        zone === null ? [] : [[zone.toLowerCase(), { zone, location }]],
      ),
    );
    const withZones = query(request, 'includeExtendedLocations')?.toLowerCase() === 'true';
    return {
      value: [
        ...[...names.values()].sort().map(region),
        ...[...(withZones ? zones.values() : [])].map(
          ({ zone, location }): Location => ({
            ...region(zone),
            type: 'EdgeZone',
            metadata: { regionType: 'Physical', regionCategory: 'Extended', homeLocation: location },
          }),
        ),
      ],
    };
  });
};
