import { isIPv6 } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import {
  type Database,
  findItemOfName,
  findVault,
  getVault,
  type ItemRow,
  remembered,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError } from '../errors/index.ts';
import type { NewSecret, Store, StorePlaces, StoreSecret, VaultKeys, Workshop } from '../jobs/index.ts';
import { machineOfItemName, type ResourceIds } from './resource-ids.ts';

/** What the routes work with. */
export interface ApiScope {
  workshop: Workshop;
  ids: ResourceIds;
  subscriptionId: string;
  /** Directory under which a vault's store is made when its creator names none. */
  defaultStoreRoot: string;
  home: string;
  /** Directories that restores may go to, beside libvirt's storage pools. */
  restoreRoots: readonly string[];
  version: string;
  startedAt: Temporal.Instant;
  storePlaces: StorePlaces;
  /** Makes the store of a new vault at a path or an address, encrypted with the secrets if there are any. */
  createStore(place: string, secrets: readonly NewSecret[]): Promise<Store>;
  /** Opens the store of a vault, with a secret that somebody has brought. */
  openStore(vault: VaultRow, secret: StoreSecret): Promise<Store>;
  /** Opens what may become the second store of a vault. @throws StoreNotFound @throws StoreKeyRequired */
  openStoreAt(place: string, secrets: readonly StoreSecret[]): Promise<Store>;
  vaultKeys: VaultKeys;
}

export type RegisterRoutes = (app: FastifyInstance, scope: ApiScope) => void;

export const subscriptionPath = '/subscriptions/:subscription';
export const groupPath = `${subscriptionPath}/resourceGroups/:group`;
export const vaultPath = `${groupPath}/providers/Microsoft.RecoveryServices/vaults/:vault`;
export const storePath = `${groupPath}/providers/Holdfast.Fleet/stores/:vault`;
export const fabricPath = `${vaultPath}/backupFabrics/:fabric`;
export const containerPath = `${fabricPath}/protectionContainers/:container`;
export const itemPath = `${containerPath}/protectedItems/:item`;

/** Azure's sign-in addresses begin with the tenant. */
export const tenantPath = '/:tenant';

/** Where roles are given. */
export const roleAssignmentScopes = [subscriptionPath, groupPath, vaultPath];

export type Params = Record<string, string>;
export type Query = Record<string, string | undefined>;

/** A path parameter, which the router guarantees. */
export function param(request: FastifyRequest, name: string): string {
  const value = (request.params as Params)[name];
  if (value === undefined) throw new Error(`route has no parameter '${name}'`);
  return value;
}

/** Whoever owns the service owns the machine: no directory is closed to the local administrator. */
export const mayRestoreAnywhere = ({ caller }: FastifyRequest): boolean =>
  caller?.principal.kind === 'local-administrator';

/** A query parameter by its name, compared without case. */
export function query(request: FastifyRequest, name: string): string | undefined {
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(request.query as Record<string, unknown>)) {
    if (key.toLowerCase() === wanted && typeof value === 'string') return value;
  }
  return undefined;
}

/** Checks a request body against its shape. @throws InvalidInput naming every wrong field */
export function parseBody<Shape extends z.ZodType>(
  shape: Shape,
  request: Pick<FastifyRequest, 'body'>,
): z.infer<Shape> {
  const parsed = shape.safeParse(request.body ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const path = issue.path.map(String).join('.');
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  throw new HoldfastError('InvalidInput', `The request is not valid. ${problems.join('; ')}.`);
}

/** @throws ResourceNotFound when the subscription is not the one of this service */
export function checkSubscription(scope: ApiScope, request: FastifyRequest): void {
  const given = (request.params as Params).subscription;
  if (given !== undefined && given.toLowerCase() !== scope.subscriptionId) {
    throw new HoldfastError('ResourceNotFound', `There is no subscription '${given}' here.`, {
      target: given,
    });
  }
}

/** @throws ResourceNotFound */
export async function vaultOf(db: Database, request: FastifyRequest): Promise<VaultRow> {
  const group = param(request, 'group');
  const name = param(request, 'vault');
  const key = `vault ${group.toLowerCase()} ${name.toLowerCase()}`;
  const vault = await remembered(db, ['vaults'], key, () => findVault(db, group, name));
  if (vault === undefined) {
    throw new HoldfastError('ResourceNotFound', `There is no vault '${name}' in resource group '${group}'.`, {
      target: name,
    });
  }
  return vault;
}

/** The vault that an item is in. */
export async function vaultOfItem(db: Database, { vault_id: vaultId }: ItemRow): Promise<VaultRow> {
  return remembered(db, ['vaults'], `vault by id ${vaultId}`, () => getVault(db, vaultId));
}

/** The VM that the request's item segment names. @throws InvalidInput */
export function machineNameOf(request: FastifyRequest): { resourceGroup: string; machine: string } {
  const name = param(request, 'item');
  const parsed = machineOfItemName(name);
  if (parsed === undefined) {
    throw new HoldfastError('InvalidInput', `'${name}' is no name of a protected item.`, {
      target: name,
      action: 'Write it as vm;iaasvmcontainerv2;{resource group};{VM name}.',
    });
  }
  return parsed;
}

/** The protected item of the vault that the request names, if there is one. */
export async function findItemByName(
  db: Database,
  vault: VaultRow,
  request: FastifyRequest,
): Promise<ItemRow | undefined> {
  const { resourceGroup, machine } = machineNameOf(request);
  return findItemOfName(db, vault.vault_id, resourceGroup, machine);
}

/** @throws ResourceNotFound */
export async function itemOf(db: Database, vault: VaultRow, request: FastifyRequest): Promise<ItemRow> {
  const item = await findItemByName(db, vault, request);
  if (item === undefined) {
    const { machine } = machineNameOf(request);
    throw new HoldfastError(
      'ResourceNotFound',
      `VM '${machine}' is not protected in vault '${vault.name}'.`,
      {
        target: machine,
        action: 'Enable its protection with "holdfast item enable".',
      },
    );
  }
  return item;
}

/** Scheme and authority as the client sees them; where it does not say (HTTP/1.0), the address it has reached. */
export function baseUrl(request: FastifyRequest): string {
  const named = `https://${request.host}`;
  if (request.host !== undefined && request.host !== '' && URL.canParse(named)) return new URL(named).origin;
  const { localAddress = '127.0.0.1', localPort } = request.socket;
  return `https://${isIPv6(localAddress) ? `[${localAddress}]` : localAddress}:${localPort}`;
}

/** Address of a resource, every segment of its id encoded. */
export const urlOf = (request: FastifyRequest, resourceId: string): string =>
  baseUrl(request) + resourceId.split('/').map(encodeURIComponent).join('/');

/** The names under a resource by which most of its operations are asked for. */
const usualPaths = { status: 'operationsStatus', result: 'operationResults' };

/** Answers 202 with where to ask how the operation goes, under the resource that it is about. */
export function accepted(
  request: FastifyRequest,
  reply: FastifyReply,
  resourceId: string,
  operationId: string,
  paths: { status: string; result: string } = usualPaths,
): FastifyReply {
  const base = urlOf(request, resourceId);
  const version = query(request, 'api-version');
  const suffix = version === undefined ? '' : `?api-version=${encodeURIComponent(version)}`;
  return reply
    .code(202)
    .header('azure-asyncoperation', `${base}/${paths.status}/${operationId}${suffix}`)
    .header('location', `${base}/${paths.result}/${operationId}${suffix}`)
    .header('retry-after', '1')
    .send();
}
