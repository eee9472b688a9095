/** Holdfast.Fleet/hosts: libvirt connections. */
import { z } from 'zod';
import { extendedLocation, resource } from './common.ts';

export const hostRequest = z.strictObject({
  location: z.string().min(1).max(64).default('local'),
  extendedLocation: z
    .strictObject({ name: z.string(), type: z.literal('EdgeZone').default('EdgeZone') })
    .optional(),
  properties: z.strictObject({
    /** libvirt connection URI, for example `qemu:///system`. */
    uri: z.string().min(1).max(1024),
    /** Where overlays of block devices are kept; next to the disk for image files. */
    overlayDirectory: z.string().startsWith('/').max(1024).optional(),
  }),
});
export type HostRequest = z.infer<typeof hostRequest>;

export const host = z.object({
  ...resource,
  location: z.string(),
  extendedLocation: extendedLocation.optional(),
  properties: z.object({
    uri: z.string(),
    overlayDirectory: z.string().optional(),
    status: z.enum(['Connected', 'Unreachable']),
    statusMessage: z.string().optional(),
    hostname: z.string().optional(),
    libvirtVersion: z.string().optional(),
    qemuVersion: z.string().optional(),
    architecture: z.string().optional(),
    virtualMachines: z.number().optional(),
  }),
});
export type Host = z.infer<typeof host>;
