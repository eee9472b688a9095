/** Microsoft.Compute: the virtual machines of the hosts, and the snapshots of those that are protected. */
import { z } from 'zod';
import { extendedLocation, resource } from './common.ts';

const instanceStatus = z.object({
  code: z.string(),
  level: z.enum(['Info', 'Warning', 'Error']),
  displayStatus: z.string(),
  message: z.string().optional(),
});

export const instanceView = z.object({
  computerName: z.string(),
  hyperVGeneration: z.enum(['V1', 'V2']),
  vmAgent: z.object({ vmAgentVersion: z.string(), statuses: z.array(instanceStatus) }),
  disks: z.array(z.object({ name: z.string(), statuses: z.array(instanceStatus) })),
  statuses: z.array(instanceStatus),
});
export type InstanceView = z.infer<typeof instanceView>;

const disk = z.object({
  name: z.string(),
  createOption: z.literal('Attach'),
  /** Rounded up. */
  diskSizeGB: z.number().optional(),
  diskSizeBytes: z.number().optional(),
});

const storageProfile = z.object({
  osDisk: disk.extend({ osType: z.enum(['Linux', 'Windows']).optional() }).optional(),
  dataDisks: z.array(disk.extend({ lun: z.number() })),
});

export const computeMachine = z.object({
  ...resource,
  location: z.string(),
  extendedLocation: extendedLocation.optional(),
  tags: z.record(z.string(), z.string()),
  properties: z.object({
    vmId: z.string(),
    provisioningState: z.literal('Succeeded'),
    hardwareProfile: z.object({
      vmSize: z.string(),
      vmSizeProperties: z.object({ vCPUsAvailable: z.number() }),
    }),
    storageProfile,
    osProfile: z.object({ computerName: z.string() }),
    networkProfile: z.object({ networkInterfaces: z.array(z.object({ id: z.string() })) }),
    instanceView: instanceView.optional(),
  }),
});
export type ComputeMachine = z.infer<typeof computeMachine>;

export const restorePoint = z.object({
  ...resource,
  properties: z.object({
    provisioningState: z.literal('Succeeded'),
    consistencyMode: z.enum(['CrashConsistent', 'FileSystemConsistent', 'ApplicationConsistent']),
    timeCreated: z.string(),
    excludeDisks: z.array(z.object({ id: z.string() })),
    sourceMetadata: z.object({ vmId: z.string(), location: z.string(), storageProfile }),
  }),
});
export type RestorePoint = z.infer<typeof restorePoint>;

export const restorePointCollection = z.object({
  ...resource,
  location: z.string(),
  properties: z.object({
    provisioningState: z.literal('Succeeded'),
    restorePointCollectionId: z.string(),
    source: z.object({ id: z.string(), location: z.string() }),
    restorePoints: z.array(restorePoint).optional(),
  }),
});
export type RestorePointCollection = z.infer<typeof restorePointCollection>;
