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

export const auditStatuses = ['Started', 'Succeeded', 'Failed', 'Refused'] as const;

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
    status: z.enum(auditStatuses),
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

const password = z.string().min(1).max(256);

/** Makes a person, or gives one another password. */
export const personRequest = z.strictObject({
  properties: z.strictObject({
    password,
    /** Of a new person: the role it starts with. */
    role: z.string().max(256).optional(),
    /** Resource id where that role counts. Default: the subscription. */
    scope: z.string().max(1024).optional(),
  }),
});
export type PersonRequest = z.infer<typeof personRequest>;

export const person = z.object({
  ...resource,
  properties: z.object({
    principalId: z.string(),
    /** `outside`: at the OpenID Connect provider. */
    signsIn: z.enum(['here', 'outside']),
    createdAt: z.string(),
  }),
});
export type Person = z.infer<typeof person>;

export const signInRequest = z.strictObject({
  userName: z.string().min(1).max(64),
  password,
  /** `token`: for programs, which send it as a bearer token. */
  kind: z.enum(['cookie', 'token']).default('cookie'),
});

export const firstRunRequest = z.strictObject({
  code: z.string().max(64),
  userName: z.string().min(1).max(64),
  password,
});

export const passwordChange = z.strictObject({ currentPassword: password, newPassword: password });

/** Who is signed in. */
export const session = z.object({
  userName: z.string(),
  principalId: z.string(),
  expiresAt: z.string().optional(),
  /** To be sent as `x-holdfast-csrf` with every write, where the session is in a cookie. */
  csrfToken: z.string().optional(),
  /** Only in the answer to a program that signs in. */
  token: z.string().optional(),
});
export type Session = z.infer<typeof session>;
