/** Microsoft.Resources: subscriptions, tenants, regions, resource groups and providers, as far as clients need them. */
import { z } from 'zod';
import { resource } from './common.ts';

export const subscription = z.object({
  id: z.string(),
  subscriptionId: z.string(),
  tenantId: z.string(),
  displayName: z.string(),
  state: z.literal('Enabled'),
});
export type Subscription = z.infer<typeof subscription>;

export const tenant = z.object({ id: z.string(), tenantId: z.string(), displayName: z.string() });
export type Tenant = z.infer<typeof tenant>;

/** A region, or an extended zone of one. */
export const location = z.object({
  id: z.string(),
  subscriptionId: z.string(),
  name: z.string(),
  type: z.enum(['Region', 'EdgeZone']),
  displayName: z.string(),
  regionalDisplayName: z.string(),
  metadata: z.object({
    regionType: z.literal('Physical'),
    regionCategory: z.enum(['Recommended', 'Extended']),
    /** Of an extended zone: its region. */
    homeLocation: z.string().optional(),
  }),
});
export type Location = z.infer<typeof location>;

const tags = z.record(z.string().min(1).max(512), z.string().max(256));

export const resourceGroupRequest = z.strictObject({
  location: z.string().min(1).max(64),
  tags: tags.optional(),
  properties: z.strictObject({ provisioningState: z.string().max(64).optional() }).optional(),
  // Of a group that was read and is sent back.
  id: z.string().max(2048).optional(),
  name: z.string().max(90).optional(),
  type: z.string().max(128).optional(),
});
export type ResourceGroupRequest = z.infer<typeof resourceGroupRequest>;

export const resourceGroupUpdate = resourceGroupRequest.partial().strict();

export const resourceGroup = z.object({
  ...resource,
  location: z.string(),
  tags: z.record(z.string(), z.string()),
  properties: z.object({ provisioningState: z.literal('Succeeded') }),
});
export type ResourceGroup = z.infer<typeof resourceGroup>;

/** A resource as lists of mixed kinds show it. */
export const genericResource = z.object({
  ...resource,
  location: z.string(),
  tags: z.record(z.string(), z.string()).optional(),
});
export type GenericResource = z.infer<typeof genericResource>;

export const provider = z.object({
  id: z.string(),
  namespace: z.string(),
  registrationState: z.literal('Registered'),
  registrationPolicy: z.literal('RegistrationFree'),
  resourceTypes: z.array(
    z.object({
      resourceType: z.string(),
      locations: z.array(z.string()),
      apiVersions: z.array(z.string()),
    }),
  ),
});
export type Provider = z.infer<typeof provider>;

export const providerOperation = z.object({
  name: z.string(),
  isDataAction: z.literal(false),
  display: z.object({
    provider: z.string(),
    resource: z.string(),
    operation: z.string(),
    description: z.string(),
  }),
});
export type ProviderOperation = z.infer<typeof providerOperation>;
