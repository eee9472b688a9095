import { type ItemRow, lastPointOf, type VaultRow } from '../catalog/index.ts';
import { azureNumberOf } from '../errors/index.ts';
import { agentOf, type JobError, lastPolicyOf } from '../jobs/index.ts';
import type { ProtectedItem } from './client/index.ts';
import { nextRunOf, policyInForce } from './policies-in-force.ts';
import { containerName } from './resource-ids.ts';
import type { ApiScope } from './scope.ts';

/** What Azure shows before the first backup. */
const neverBackedUp = '2001-01-01T00:00:00Z';

export function presentItem(
  scope: ApiScope,
  vault: VaultRow,
  item: ItemRow,
  points: number,
  lastPoint?: string,
): ProtectedItem {
  const policy = policyInForce(item);
  const error = item.last_error_json === null ? undefined : (JSON.parse(item.last_error_json) as JobError);
  const next = nextRunOf(item);
  return {
    id: scope.ids.item(vault, item),
    name: `VM;${containerName(item)}`,
    type: 'Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems',
    properties: {
      protectedItemType: 'Microsoft.Compute/virtualMachines',
      backupManagementType: 'AzureIaasVM',
      workloadType: 'VM',
      friendlyName: item.vm_name,
      containerName: containerName(item),
      sourceResourceId: scope.ids.virtualMachine(item.host_resource_group, item.vm_name),
      virtualMachineId: scope.ids.virtualMachine(item.host_resource_group, item.vm_name),
      vaultId: scope.ids.vault(vault),
      ...(policy === undefined
        ? {}
        : { policyId: scope.ids.policy(vault, policy.name), policyName: policy.name }),
      ...(policy === undefined ? {} : { policyType: policy.policyType }),
      protectionState: shownState(item),
      ...deletionOf(scope, item),
      softDeleteRetentionPeriodInDays: vault.soft_delete_days,
      protectionStatus: error === undefined ? 'Healthy' : `Unhealthy: ${error.message}`,
      ...healthOf(item),
      lastBackupStatus: item.last_backup_status,
      lastBackupTime: item.last_backup_at ?? neverBackedUp,
      ...(lastPoint === undefined ? {} : { lastRecoveryPoint: lastPoint }),
      holdfast: {
        vmUuid: item.vm_uuid,
        host: item.host_name,
        excludedDisks: JSON.parse(item.excluded_disks_json) as string[],
        ...(item.agent_json === null ? {} : { agent: agentOf(item) }),
        recoveryPoints: points,
        ...(next === undefined ? {} : { nextBackup: next }),
        ...(policy === undefined ? { lastPolicyName: lastPolicyOf(item).name } : {}),
        ...(item.purge_at === null ? {} : { purgeAt: item.purge_at }),
        ...(item.purging === 1 ? { purging: true } : {}),
      },
    },
  };
}

/** Azure has no state of its own for what is soft-deleted. `ProtectionError`: configured, but nothing could be backed up yet. */
function shownState(item: ItemRow): ProtectedItem['properties']['protectionState'] {
  if (item.state === 'SoftDeleted') return 'ProtectionStopped';
  const isHindered =
    item.state === 'IRPending' && item.last_backup_status === '' && item.last_error_json !== null;
  return isHindered ? 'ProtectionError' : item.state;
}

export async function presentItemAlone(
  scope: ApiScope,
  vault: VaultRow,
  item: ItemRow,
): Promise<ProtectedItem> {
  const { count, takenAt } = await lastPointOf(scope.workshop.db, item.item_id);
  return presentItem(scope, vault, item, count, takenAt ?? undefined);
}

/** Azure's pre-check of a VM: what stands in the way of good backups. Its numbers are not published but for this one. */
const healthy = {
  code: 400239,
  title: 'IaasVmHealthGreenDefault',
  message: 'Nothing is known to stand in the way of backups.',
  recommendations: [],
};

/** A backup that failed is critical, one that left its point a snapshot is not; nor is a guest that can't be frozen. */
function healthOf(item: ItemRow): Pick<ProtectedItem['properties'], 'healthStatus' | 'healthDetails'> {
  if (item.last_error_json !== null) {
    const { code: title, message, action } = JSON.parse(item.last_error_json) as JobError;
    return {
      healthStatus: item.last_backup_status === 'Failed' ? 'ActionRequired' : 'ActionSuggested',
      healthDetails: [{ code: azureNumberOf(title), title, message, recommendations: [action] }],
    };
  }
  const agent = agentOf(item);
  if (agent?.problem === undefined || agent.status === 'not-running')
    return { healthStatus: 'Passed', healthDetails: [healthy] };
  const { code: title, message, action } = agent.problem;
  return {
    healthStatus: 'ActionSuggested',
    healthDetails: [{ code: azureNumberOf(title), title, message, recommendations: [action] }],
  };
}

/** Azure tells it of a purge this long ahead. */
const upcomingHours = 48;

function deletionOf(
  { workshop }: ApiScope,
  { state, deleted_at: deletedAt, purge_at: purgeAt }: ItemRow,
): Pick<
  ProtectedItem['properties'],
  | 'isScheduledForDeferredDelete'
  | 'deferredDeleteTimeInUTC'
  | 'deferredDeleteTimeRemaining'
  | 'isDeferredDeleteScheduleUpcoming'
> {
  if (state !== 'SoftDeleted' || deletedAt === null || purgeAt === null)
    return { isScheduledForDeferredDelete: false };
  const left = Math.max(0, workshop.clock.now().until(Temporal.Instant.from(purgeAt)).total('seconds'));
  return {
    isScheduledForDeferredDelete: true,
    deferredDeleteTimeInUTC: deletedAt,
    deferredDeleteTimeRemaining: spanOf(left),
    isDeferredDeleteScheduleUpcoming: left <= upcomingHours * 3600,
  };
}

/** A span as .NET writes it, as Azure does here: `13.23:59:58`. */
function spanOf(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60].map(two).join(':');
  return `${Math.floor(whole / 86_400)}.${time}`;
}
