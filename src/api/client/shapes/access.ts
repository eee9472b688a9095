/** Clients (Holdfast.Fleet/clients) and role assignments (Microsoft.Authorization). */
import { z } from 'zod';
import { resource } from './common.ts';

export const clientRequest = z.strictObject({
  properties: z.strictObject({
    /** Name or id of the role it starts with. */
    role: z.string().max(256),
    /** Resource id where that role counts. Default: the subscription. */
    scope: z.string().max(1024).optional(),
  }),
});
export type ClientRequest = z.infer<typeof clientRequest>;

export const client = z.object({
  ...resource,
  properties: z.object({ clientId: z.string(), createdAt: z.string() }),
});
export type Client = z.infer<typeof client>;

/** The answer that makes a secret: the only one that has it. */
export const clientSecret = z.object({
  ...client.shape,
  credentials: z.object({
    tenantId: z.string(),
    clientId: z.string(),
    clientSecret: z.string(),
    subscriptionId: z.string(),
    endpoint: z.string(),
  }),
});
export type ClientSecret = z.infer<typeof clientSecret>;

export const roleAssignmentRequest = z.object({
  properties: z.strictObject({
    roleDefinitionId: z.string().max(1024),
    principalId: z.string().max(64),
    principalType: z.enum(['ServicePrincipal', 'User']).optional(),
  }),
});
export type RoleAssignmentRequest = z.infer<typeof roleAssignmentRequest>;

export const roleAssignment = z.object({
  ...resource,
  properties: z.object({
    roleDefinitionId: z.string(),
    principalId: z.string(),
    principalType: z.enum(['ServicePrincipal', 'User']),
    scope: z.string(),
    createdOn: z.string(),
    createdBy: z.string(),
    holdfast: z.object({ role: z.enum(['Reader', 'Operator', 'Contributor', 'Owner']) }),
  }),
});
export type RoleAssignment = z.infer<typeof roleAssignment>;

export const auditEntry = z.object({
  ...resource,
  properties: z.object({
    time: z.string(),
    principalName: z.string(),
    /** Absent where nobody was signed in. */
    principalId: z.string().optional(),
    action: z.string(),
    resource: z.string(),
    /** `Started` without an end with the same request id: the service died meanwhile. */
    status: z.enum(['Started', 'Succeeded', 'Failed', 'Refused']),
    httpStatus: z.number().optional(),
    requestId: z.string(),
    address: z.string(),
    hash: z.string(),
  }),
});
export type AuditEntry = z.infer<typeof auditEntry>;

export const auditVerification = z.object({
  entries: z.number(),
  intact: z.boolean(),
  /** The first number that is missing or changed. */
  brokenAt: z.number().optional(),
});
