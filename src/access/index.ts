/**
 * Who may do what. A principal is the local administrator (whoever can read the service's home), a client (a program
 * with a secret, which it trades for signed tokens) or a person (with a session). It has roles, each at a scope: the
 * subscription, a resource group or a vault. The routes say which role they need; nothing here knows routes.
 */
export { Access } from './access.ts';
export { assignmentRow, type NewRole } from './assignments.ts';
export { AuditLog } from './audit-log.ts';
export { type ClientWithSecret, createClientPrincipal, rotateSecret } from './clients.ts';
export { type Grant, Grants } from './grants.ts';
export { createLocalCredential, type LocalCredential } from './local-credential.ts';
export { OutsideProvider, type PendingSignIn } from './outside-provider.ts';
export {
  changePassword,
  createPerson,
  newFirstRunCode,
  personFromOutside,
  personOf,
  redeemFirstRunCode,
} from './people.ts';
export type { Caller, Principal } from './principal.ts';
export { atLeast, type Role, type RoleDefinition, roleDefinitions, roleOf, roles } from './roles.ts';
export { exactScope, type Scope, scopeOfId } from './scopes.ts';
export { beginSession, type NewSession } from './sessions.ts';
export { audience, tokenLifetimeSeconds } from './tokens.ts';
