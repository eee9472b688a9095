/** The VMs of a vault as containers: in Azure each VM is one, with a single item in it. */
import { z } from 'zod';
import { resource } from './common.ts';

export const protectionContainer = z.object({
  ...resource,
  properties: z.object({
    containerType: z.literal('Microsoft.Compute/virtualMachines'),
    protectableObjectType: z.literal('Microsoft.Compute/virtualMachines'),
    backupManagementType: z.literal('AzureIaasVM'),
    friendlyName: z.string(),
    virtualMachineId: z.string(),
    virtualMachineVersion: z.literal('Compute'),
    resourceGroup: z.string(),
    registrationStatus: z.literal('Registered'),
    healthStatus: z.literal('Healthy'),
  }),
});
export type ProtectionContainer = z.infer<typeof protectionContainer>;

/** Registers a VM with a vault. The VM is named by the path; what Azure's clients send beside that says nothing more. */
export const containerRequest = z.looseObject({
  properties: z
    .looseObject({
      backupManagementType: z.literal('AzureIaasVM').optional(),
      sourceResourceId: z.string().max(2048).optional(),
    })
    .optional(),
});

/** A VM that could be protected. */
export const protectableItem = z.object({
  ...resource,
  properties: z.object({
    protectableItemType: z.literal('Microsoft.Compute/virtualMachines'),
    backupManagementType: z.literal('AzureIaasVM'),
    workloadType: z.literal('VM'),
    friendlyName: z.string(),
    virtualMachineId: z.string(),
    virtualMachineVersion: z.literal('Compute'),
    resourceGroup: z.string(),
    protectionState: z.literal('NotProtected'),
  }),
});
export type ProtectableItem = z.infer<typeof protectableItem>;
