import type { RegisterRoutes } from '../scope.ts';
import { registerAlerts } from './alerts.ts';
import { registerComputeMachines } from './compute-machines.ts';
import { registerContainers } from './containers.ts';
import { registerEstate } from './estate.ts';
import { registerEvents } from './events.ts';
import { registerLocations } from './locations.ts';
import { registerOpenApi } from './openapi.ts';
import { registerProtectableItems } from './protectable-items.ts';
import { registerProviders } from './providers.ts';
import { registerRefusals } from './refusals.ts';
import { registerResourceGroups } from './resource-groups.ts';
import { registerRestorePointCollections } from './restore-point-collections.ts';
import { registerStorageConfig } from './storage-config.ts';
import { registerSubscriptions } from './subscriptions.ts';
import { registerUsages } from './usages.ts';
import { registerValidateRestore } from './validate-restore.ts';
import { registerVaultNeighbours } from './vault-neighbours.ts';

/** What Azure's clients ask around backups: the neighbouring providers, counts, questions, and all that is refused. */
export const neighbourRoutes: readonly RegisterRoutes[] = [
  registerSubscriptions,
  registerProviders,
  registerResourceGroups,
  registerComputeMachines,
  registerRestorePointCollections,
  registerUsages,
  registerStorageConfig,
  registerContainers,
  registerProtectableItems,
  registerLocations,
  registerValidateRestore,
  registerVaultNeighbours,
  registerRefusals,
  registerOpenApi,
  registerEvents,
  registerEstate,
  registerAlerts,
];
