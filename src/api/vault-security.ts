import type { VaultRow } from '../catalog/index.ts';
import type { WantedSecurity } from '../jobs/index.ts';
import type { SecuritySettings, VaultUpdate } from './client/index.ts';

/** The security settings of a vault, in Azure's shape. */
export function presentSecurity(vault: VaultRow): SecuritySettings {
  return {
    immutabilitySettings: { state: vault.immutability },
    softDeleteSettings: {
      softDeleteState: vault.soft_delete,
      softDeleteRetentionPeriodInDays: vault.soft_delete_days,
      enhancedSecurityState: vault.soft_delete,
    },
  };
}

export function wantedSecurity({ properties }: Pick<VaultUpdate, 'properties'>): WantedSecurity {
  const { immutabilitySettings, softDeleteSettings } = properties?.securitySettings ?? {};
  return {
    immutability: immutabilitySettings?.state,
    softDelete: softDeleteSettings?.softDeleteState,
    softDeleteDays: softDeleteSettings?.softDeleteRetentionPeriodInDays,
  };
}
