/** Holdfast.Fleet/virtualMachines: what the hosts run. */
import { z } from 'zod';
import { agentReport } from './agents.ts';
import { extendedLocation, resource } from './common.ts';

export const virtualMachine = z.object({
  ...resource,
  location: z.string(),
  extendedLocation: extendedLocation.optional(),
  properties: z.object({
    vmId: z.string(),
    host: z.string(),
    powerState: z.enum(['running', 'paused', 'shut off', 'crashed', 'other']),
    memoryBytes: z.number(),
    vcpus: z.number(),
    firmware: z.enum(['bios', 'efi']),
    osType: z.string().optional(),
    agent: z.enum(['absent', 'disconnected', 'connected']),
    /** What the agent says of itself; only in the answer for one VM. */
    agentReport: agentReport.optional(),
    disks: z.array(
      z.object({
        target: z.string(),
        bus: z.string(),
        type: z.string(),
        format: z.string().optional(),
        sizeBytes: z.number().optional(),
        path: z.string().optional(),
        layers: z.number(),
      }),
    ),
    protection: z.object({
      state: z.enum([
        'NotProtected',
        'Protected',
        'ProtectionStopped',
        'BackupsSuspended',
        'SoftDeleted',
        'NotProtectable',
      ]),
      vaultId: z.string().optional(),
      itemId: z.string().optional(),
      /** Why it can't be protected; only in the answer for one VM. */
      obstacles: z
        .array(
          z.object({
            code: z.string(),
            disk: z.string().optional(),
            message: z.string(),
            action: z.string(),
          }),
        )
        .optional(),
    }),
  }),
});
export type VirtualMachine = z.infer<typeof virtualMachine>;
