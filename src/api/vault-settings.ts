import { type Database, findReplica, type VaultRow } from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { Vault, VaultUpdate } from './client/index.ts';

/** What is kept of them: told again as it was said, for tools that compare. */
type Kept = Pick<Vault, 'sku'> & {
  properties: Pick<
    Vault['properties'],
    'publicNetworkAccess' | 'monitoringSettings' | 'costManagementSettings' | 'restoreSettings'
  >;
};

const usual: Kept = {
  sku: { name: 'RS0', tier: 'Standard' },
  properties: { publicNetworkAccess: 'Enabled' },
};

/** The settings that a vault has after a request, for its row. What the request leaves out stays. */
export function settingsAfter(
  before: string,
  { sku, properties = {} }: Pick<VaultUpdate, 'sku' | 'properties'>,
): string {
  const kept = JSON.parse(before) as Partial<Kept>;
  const { publicNetworkAccess, monitoringSettings, costManagementSettings, restoreSettings } = properties;
  return JSON.stringify({
    ...kept,
    ...(sku && { sku: { name: sku.name, ...(sku.tier !== undefined && { tier: sku.tier }) } }),
    properties: {
      ...kept.properties,
      ...(publicNetworkAccess && { publicNetworkAccess }),
      ...(monitoringSettings && { monitoringSettings }),
      ...(costManagementSettings && { costManagementSettings }),
      ...(restoreSettings && { restoreSettings }),
    },
  });
}

/** Settings of a vault as Azure's clients are told them. */
export function presentSettings(
  row: VaultRow,
  hasReplica: boolean,
): Pick<Vault, 'sku'> & { properties: Partial<Vault['properties']> } {
  const kept = JSON.parse(row.settings_json) as Partial<Kept>;
  return {
    sku: kept.sku ?? usual.sku,
    properties: {
      ...usual.properties,
      ...kept.properties,
      redundancySettings: {
        standardTierStorageRedundancy: redundancyOf(hasReplica),
        crossRegionRestore: hasReplica ? 'Enabled' : 'Disabled',
      },
    },
  };
}

/** How often the data of a vault exists, in Azure's words: with a replica it is geo-redundant. */
export const redundancyOf = (hasReplica: boolean) => (hasReplica ? 'GeoRedundant' : 'LocallyRedundant');

/**
 * A replica is set up where it can be said where it is; here only what is so already is accepted.
 * @param row undefined: a vault that is about to be made
 * @throws OperationNotSupported
 */
export async function refuseOtherRedundancy(
  db: Database,
  name: string,
  row: VaultRow | undefined,
  { properties }: Pick<VaultUpdate, 'properties'>,
): Promise<void> {
  const { standardTierStorageRedundancy: wanted, crossRegionRestore } = properties?.redundancySettings ?? {};
  if (wanted === undefined && crossRegionRestore === undefined) return;
  const hasReplica = row !== undefined && (await findReplica(db, row.vault_id)) !== undefined;
  const is = redundancyOf(hasReplica);
  if (wanted !== undefined && wanted !== 'Invalid' && wanted !== is)
    throw otherRedundancy(name, 'redundancySettings.standardTierStorageRedundancy', is);
  if (crossRegionRestore === 'Enabled' && !hasReplica)
    throw otherRedundancy(name, 'redundancySettings.crossRegionRestore', 'Disabled');
}

/** @param field below `properties` */
export function otherRedundancy(vault: string, field: string, is: unknown): HoldfastError {
  return new HoldfastError(
    'OperationNotSupported',
    `${field} of vault '${vault}' is ${is} and can't be set here.`,
    {
      target: `properties.${field}`,
      action:
        'A vault is locally redundant without a replica and geo-redundant with one: holdfast vault replica set, or DELETE of it.',
    },
  );
}
