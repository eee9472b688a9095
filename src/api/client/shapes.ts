/**
 * The shapes of the REST API, one source for the server's validation, its handlers and its clients. They follow
 * Azure's Microsoft.RecoveryServices and Microsoft.RecoveryServices/vaults/backup* resources; what Azure has no word
 * for is under `holdfast` inside a resource, or under the provider Holdfast.Fleet. Times are ISO 8601 UTC, sizes bytes.
 */
export * from './shapes/access.ts';
export * from './shapes/agents.ts';
export * from './shapes/alerts.ts';
export * from './shapes/checks.ts';
export * from './shapes/common.ts';
export * from './shapes/compute.ts';
export * from './shapes/containers.ts';
export * from './shapes/hosts.ts';
export * from './shapes/jobs.ts';
export * from './shapes/operations.ts';
export * from './shapes/overview.ts';
export * from './shapes/policies.ts';
export * from './shapes/protected-items.ts';
export * from './shapes/recovery-points.ts';
export * from './shapes/replicas.ts';
export * from './shapes/resources.ts';
export * from './shapes/service.ts';
export * from './shapes/stores.ts';
export * from './shapes/usages.ts';
export * from './shapes/vault-config.ts';
export * from './shapes/vault-keys.ts';
export * from './shapes/vaults.ts';
export * from './shapes/virtual-machines.ts';
