/** Settings of a vault that Azure has and that are so here in any case, or have nothing here that they could change. */
import { z } from 'zod';
import { word } from './requests.ts';

const onOff = word(['Enabled', 'Disabled']).optional();

/**
 * Taken and told again, since azure-cli and Terraform send them with every vault. `redundancySettings` alone say something
 * of this vault, and are taken only as they are.
 */
export const vaultSettings = {
  publicNetworkAccess: word(
    ['Enabled'],
    'who may reach the service is a matter of where it listens',
  ).optional(),
  monitoringSettings: z
    .strictObject({
      azureMonitorAlertSettings: z
        .strictObject({
          alertsForAllJobFailures: onOff,
          alertsForAllReplicationIssues: onOff,
          alertsForAllFailoverIssues: onOff,
        })
        .optional(),
      classicAlertSettings: z
        .strictObject({ alertsForCriticalOperations: onOff, emailNotificationsForSiteRecovery: onOff })
        .optional(),
    })
    .optional(),
  costManagementSettings: z
    .strictObject({ granularityLevel: word(['VaultLevel', 'ProtectedItemLevel']).optional() })
    .optional(),
  restoreSettings: z
    .strictObject({
      crossSubscriptionRestoreSettings: z
        .strictObject({
          crossSubscriptionRestoreState: word(['Enabled', 'Disabled', 'PermanentlyDisabled']).optional(),
        })
        .optional(),
    })
    .optional(),
  redundancySettings: z
    .strictObject({
      standardTierStorageRedundancy: word([
        'LocallyRedundant',
        'GeoRedundant',
        'ZoneRedundant',
        'Invalid',
      ]).optional(),
      crossRegionRestore: onOff,
    })
    .optional(),
};
