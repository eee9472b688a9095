/** Settings of a vault that Azure keeps in documents of their own. */
import { z } from 'zod';
import { resource } from './common.ts';

const storageTypes = [
  'LocallyRedundant',
  'GeoRedundant',
  'ZoneRedundant',
  'ReadAccessGeoZoneRedundant',
] as const;

export const storageConfigRequest = z.object({
  properties: z.strictObject({
    storageModelType: z.enum([...storageTypes, 'Invalid']).optional(),
    storageType: z.enum([...storageTypes, 'Invalid']).optional(),
    storageTypeState: z.enum(['Locked', 'Unlocked', 'Invalid']).optional(),
    crossRegionRestoreFlag: z.boolean().optional(),
    dedupState: z.enum(['Enabled', 'Disabled', 'Invalid']).optional(),
    xcoolState: z.enum(['Enabled', 'Disabled', 'Invalid']).optional(),
  }),
});
export type StorageConfigRequest = z.infer<typeof storageConfigRequest>;

export const storageConfig = z.object({
  ...resource,
  properties: z.object({
    storageModelType: z.enum(storageTypes),
    storageType: z.enum(storageTypes),
    storageTypeState: z.enum(['Locked', 'Unlocked']),
    crossRegionRestoreFlag: z.boolean(),
    dedupState: z.literal('Enabled'),
    xcoolState: z.literal('Disabled'),
  }),
});
export type StorageConfig = z.infer<typeof storageConfig>;
