/**
 * What Holdfast knows, durably: hosts, vaults, policies, items, points, jobs. A cache in one respect: recovery points
 * in a vault can be restored from the store alone. Functions take the database first, so that callers can pass a
 * transaction.
 */
export type {
  AuditRow,
  ClientRow,
  PersonRow,
  RoleAssignmentRow,
  SessionRow,
} from './access-schema.ts';
export {
  type AlertCursor,
  countDamaged,
  findAlert,
  insertAlert,
  listAlerts,
  listFailedItems,
  listFailedJobs,
  purgeAlerts,
  resolveAlert,
  updateAlert,
} from './alerts.ts';
export { auditAfter, insertAuditRow, lastAuditRow, listAudit } from './audit.ts';
export { type Catalog, type Database, openCatalog } from './catalog.ts';
export {
  countItemsUnder,
  type DueCursor,
  listDueItems,
  listItemsAhead,
  type NotedLook,
  noteLooks,
} from './due-items.ts';
export { deleteHost, findHost, listHosts, saveHost } from './hosts.ts';
export {
  bindItem,
  changeItem,
  countItems,
  deleteEmptyItem,
  findItem,
  findItemOfName,
  getItem,
  type ItemCount,
  type ItemCursor,
  type ItemFilter,
  insertItem,
  listItems,
  listItemsOfName,
  listItemsOfUuid,
  listItemsOfVault,
  listItemsOfVm,
  listItemsOfVms,
  listItemsToPurge,
  markProtected,
  updateItem,
} from './items.ts';
export {
  countJobs,
  countJobsByStatus,
  countOldJobs,
  endJob,
  endOperation,
  findJob,
  findOperation,
  insertJob,
  insertJobs,
  insertOperation,
  type JobCursor,
  type JobFilter,
  type JobWithTasks,
  listJobs,
  listOpenJobs,
  listTasks,
  markCancelling,
  type NewJobRow,
  postponeJob,
  purgeJobs,
  purgeOperations,
  tasksOf,
  updateJob,
  updateTask,
  writeAsOwner,
} from './jobs.ts';
export { forgetLeftLayers, listLeftLayers, noteLeftLayers } from './left-layers.ts';
export {
  deletePerson,
  deleteSession,
  findPersonByName,
  findPersonByOutsideId,
  findSession,
  insertFirstPerson,
  insertPerson,
  insertSession,
  listPeople,
  noteSessionUsed,
  savePassword,
} from './people.ts';
export {
  countPoints,
  deleteGonePoints,
  findPoint,
  getDefinition,
  insertPoint,
  lastPointOf,
  listItemsWithSnapshots,
  listOfferedPoints,
  listPoints,
  listSnapshots,
  newestPoints,
  noteDamaged,
  type PointCursor,
  type PointFilter,
  type PointSum,
  sumPoints,
  updatePoint,
} from './points.ts';
export {
  deletePolicy,
  findPolicy,
  findSavedPolicy,
  insertPolicy,
  isStillPolicy,
  listPolicies,
  replacePolicy,
  type SavedPolicy,
} from './policies.ts';
export { isPostgresAddress, shownAddress } from './postgres-dialect.ts';
export {
  deleteClient,
  deleteRoleAssignment,
  deleteRolesAt,
  findClient,
  findClientByName,
  findClientWithRoles,
  findPrincipal,
  findRoleAssignment,
  insertClient,
  insertRoleAssignment,
  listClients,
  listRoleAssignments,
  listRolesOf,
  saveClientSecret,
} from './principals.ts';
export { remembered } from './read-memory.ts';
export {
  countContainers,
  deleteRegistration,
  findRegistration,
  insertRegistration,
  listRegistrations,
} from './registrations.ts';
export {
  countOnlyInReplica,
  deleteReplica,
  findReplica,
  insertReplica,
  listPlaces,
  listReplicas,
  noteInReplica,
  type PointPlace,
  transferOf,
  updateReplica,
} from './replicas.ts';
export {
  deleteResourceGroup,
  findResourceGroup,
  listResourceGroups,
  saveResourceGroup,
} from './resource-groups.ts';
export type {
  AlertRow,
  HostRow,
  ItemRow,
  JobRow,
  JobTaskRow,
  LeftLayersRow,
  OperationRow,
  PointRow,
  PolicyRow,
  RegistrationRow,
  ReplicaRow,
  ResourceGroupRow,
  StoreUpkeepRow,
  VaultRow,
  WorkerRow,
} from './schema.ts';
export { inVault } from './schema.ts';
export { findSetting, saveSetting, settingOrNew } from './settings.ts';
export { addSignInFailure, clearSignInFailures, findSignInFailures } from './sign-in-failures.ts';
export { getUpkeep, saveUpkeep } from './upkeep.ts';
export {
  changeSecurity,
  deleteVault,
  findVault,
  getVault,
  insertVault,
  listVaults,
  updateVault,
} from './vaults.ts';
export {
  claimJobs,
  enterPhase,
  enterWorker,
  leavePhase,
  leaveWorker,
  listCancelling,
  listOtherWorkers,
  renewLease,
} from './workers.ts';
