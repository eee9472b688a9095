import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import {
  countItems,
  deleteRolesAt,
  deleteVault,
  findReplica,
  findVault,
  type ItemCount,
  type ItemRow,
  insertVault,
  listItems,
  listRegistrations,
  listReplicas,
  listVaults,
  updateVault,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../errors/index.ts';
import {
  changeVaultSecurity,
  checkNewSecret,
  type NewSecret,
  newRecoveryKey,
  openStoreJob,
  type Store,
  securityAfter,
  securityColumns,
  serviceKeyLabel,
} from '../../jobs/index.ts';
import { makeDirectoryDurable, syncDirectory } from '../../platform/index.ts';
import {
  judgeVaultDeletion,
  policiesOfNewVault,
  refusalError,
  resourceGroupNameProblem,
  securityOfNewVault,
  vaultNameProblem,
} from '../../protection/index.ts';
import { type Vault, type VaultRequest, vaultRequest, vaultUpdate } from '../client/index.ts';
import { pageOfAll } from '../protocol/paging.ts';
import {
  type ApiScope,
  groupPath,
  param,
  parseBody,
  type RegisterRoutes,
  subscriptionPath,
  vaultOf,
  vaultPath,
} from '../scope.ts';
import { figuresOf } from '../store-figures.ts';
import { presentSecurity, wantedSecurity } from '../vault-security.ts';
import { presentSettings, refuseOtherRedundancy, settingsAfter } from '../vault-settings.ts';

async function storeFigures(scope: ApiScope, row: VaultRow) {
  try {
    const figures = await figuresOf(() => scope.workshop.estate.store(row), row.store_path);
    return { status: 'Ready' as const, ...(await keyFileWarning(scope, row)), ...figures };
  } catch (error) {
    const status = isHoldfastError(error, 'VaultLocked') ? ('Locked' as const) : ('Unavailable' as const);
    return { status, statusMessage: messageOf(error) };
  }
}

/** An open store needs its key file no more, until the service is started again: whoever has lost it is told before. */
async function keyFileWarning({ vaultKeys }: ApiScope, row: VaultRow) {
  if (row.encrypted === 0 || (await vaultKeys.find(row.vault_id)) !== undefined) return {};
  const statusMessage = `The key file ${vaultKeys.pathOf(row.vault_id)} is missing: without it the vault will be locked when the service starts again. Make a new one: holdfast vault key unlock.`;
  return { statusMessage };
}

async function present(scope: ApiScope, row: VaultRow, protectedItems: number): Promise<Vault> {
  const replica = await findReplica(scope.workshop.db, row.vault_id);
  const { sku, properties } = presentSettings(row, replica !== undefined);
  return {
    id: scope.ids.vault(row),
    name: row.name,
    type: 'Microsoft.RecoveryServices/vaults',
    location: row.location,
    tags: JSON.parse(row.tags_json) as Record<string, string>,
    sku,
    properties: {
      provisioningState: 'Succeeded',
      ...properties,
      securitySettings: presentSecurity(row),
      holdfast: {
        storePath: row.store_path,
        storeId: row.store_id,
        encryption:
          row.encrypted === 0
            ? { state: 'Disabled' }
            : { state: 'Enabled', keyFile: scope.vaultKeys.pathOf(row.vault_id) },
        protectedItems,
        ...(await storeFigures(scope, row)),
      },
    },
  };
}

export const registerVaults: RegisterRoutes = (app, scope) => {
  const { db, clock, estate } = scope.workshop;
  const { vaultKeys } = scope;
  const presentOne = async (row: VaultRow) =>
    present(scope, row, protectedIn(await countItems(db, row.vault_id)));
  const list = async (request: FastifyRequest, rows: readonly VaultRow[]) => {
    const page = pageOfAll(request, rows, (row) => scope.ids.vault(row));
    const counts = Map.groupBy(await countItems(db), ({ vault_id: vaultId }) => vaultId);
    const value = page.value.map((row) => present(scope, row, protectedIn(counts.get(row.vault_id) ?? [])));
    return { ...page, value: await Promise.all(value) };
  };

  app.get(`${subscriptionPath}/providers/Microsoft.RecoveryServices/vaults`, async (request) =>
    list(request, await listVaults(db)),
  );
  app.get(`${groupPath}/providers/Microsoft.RecoveryServices/vaults`, async (request) => {
    const group = param(request, 'group').toLowerCase();
    const rows = (await listVaults(db)).filter((row) => row.resource_group.toLowerCase() === group);
    return list(request, rows);
  });
  app.get(vaultPath, async (request) => presentOne(await vaultOf(db, request)));

  app.put(vaultPath, async (request, reply) => {
    const body = parseBody(vaultRequest, request);
    const name = param(request, 'vault');
    const group = param(request, 'group');
    const problem = vaultNameProblem(name) ?? resourceGroupNameProblem(group);
    if (problem !== undefined) throw new HoldfastError('InvalidInput', problem, { target: name });
    const { storePath: wantedPath, storeCredentials: credentials } = body.properties?.holdfast ?? {};
    const known = await findVault(db, group, name);
    await refuseOtherRedundancy(db, name, known, body);
    if (known !== undefined) {
      refuseFixedChange(known, body);
      if (credentials !== undefined) await scope.storePlaces.replace(known.store_path, credentials);
      const changed = await changeVaultSecurity(scope.workshop, known, wantedSecurity(body));
      const said = {
        tags_json: JSON.stringify(body.tags ?? {}),
        settings_json: settingsAfter(known.settings_json, body),
      };
      await updateVault(db, known.vault_id, said);
      return presentOne({ ...changed, ...said });
    }
    const security = securityAfter(name, securityOfNewVault, wantedSecurity(body));
    const vaultId = randomUUID();
    const storePath = wantedPath ?? join(scope.defaultStoreRoot, vaultId);
    refusePassphraseOfPlain(body);
    const isEncrypted = body.properties?.holdfast?.encryption?.state !== 'Disabled';
    const recoveryKey = isEncrypted ? newRecoveryKey() : undefined;
    const others = recoveryKey === undefined ? [] : othersThatOpen(body, recoveryKey);
    const giveBack = await claimPlace(scope, storePath, credentials);
    /** Undoes what was made so far; nothing is in the store yet. */
    const giveUp = async () => {
      await giveBack();
      if (isEncrypted) await vaultKeys.discard(vaultId);
    };
    let store: Store;
    try {
      // The key file first: a store that the service could not open again would be of no use.
      const keyFile = isEncrypted ? [{ ...(await vaultKeys.make(vaultId)), label: serviceKeyLabel }] : [];
      store = await scope.createStore(storePath, [...keyFile, ...others]);
    } catch (error) {
      await giveUp();
      throw error;
    }
    const row: VaultRow = {
      vault_id: vaultId,
      resource_group: group,
      name,
      location: body.location,
      tags_json: JSON.stringify(body.tags ?? {}),
      settings_json: settingsAfter('{}', body),
      store_path: storePath,
      store_id: store.storeId,
      encrypted: isEncrypted ? 1 : 0,
      ...securityColumns(security),
      created_at: clock.now().toString({ fractionalSecondDigits: 3 }),
    };
    try {
      await insertVault(db, row, policiesOfNewVault);
    } catch (error) {
      await store[Symbol.asyncDispose]();
      await scope.storePlaces.abandon(storePath).catch(() => {}); // the first failure is the one to report
      await giveUp();
      if ((await findVault(db, group, name)) === undefined) throw error;
      throw new HoldfastError('ResourceAlreadyExists', `Vault '${name}' has just been created by another.`, {
        cause: error,
        target: name,
      });
    }
    estate.adoptStore(vaultId, store);
    reply.code(201);
    const vault = await presentOne(row);
    if (recoveryKey !== undefined) {
      reply.header('cache-control', 'no-store');
      vault.properties.holdfast.encryption.recoveryKey = recoveryKey;
    }
    return vault;
  });

  app.patch(vaultPath, async (request) => {
    const row = await vaultOf(db, request);
    const body = parseBody(vaultUpdate, request);
    await refuseOtherRedundancy(db, row.name, row, body);
    const changed = await changeVaultSecurity(scope.workshop, row, wantedSecurity(body));
    const said = {
      ...(body.tags !== undefined && { tags_json: JSON.stringify(body.tags) }),
      settings_json: settingsAfter(row.settings_json, body),
    };
    await updateVault(db, row.vault_id, said);
    return presentOne({ ...changed, ...said });
  });

  app.delete(vaultPath, async (request, reply) => {
    const row = await vaultOf(db, request);
    const [deleted, items] = partition(await listItems(db, row.vault_id));
    const judgement = judgeVaultDeletion(row.name, items.length, deleted);
    if (!judgement.allowed) throw refusalError(judgement.refusals, row.name);
    const [registered] = await listRegistrations(db, row.vault_id);
    if (registered !== undefined)
      throw new HoldfastError(
        'BMSUserErrorVaultDeletionNotAllowed',
        `VM '${registered.vm_name}' is registered with vault '${row.name}'.`,
        { target: row.name, action: 'Unregister its VMs first: "holdfast vm unregister".' },
      );
    await refuseWhileWorkedOn(scope, row);
    const replica = await findReplica(db, row.vault_id);
    await deleteVault(db, row.vault_id);
    // A vault that gets the same name later is another one.
    await deleteRolesAt(db, scope.ids.vault(row));
    await estate.closeStore(row.vault_id);
    await estate.closeReplica(row.vault_id);
    await scope.storePlaces.forget(row.store_path);
    if (replica !== undefined) await scope.storePlaces.forget(replica.store_path);
    // Not 204: Azure's clients of before 2024 take nothing but 200 for this.
    return reply.code(200).send();
  });
};

/** Soft-deleted items are not protected any more. */
const protectedIn = (counts: readonly ItemCount[]) =>
  counts.reduce((all, { state, count }) => all + (state === 'SoftDeleted' ? 0 : count), 0);

/** Soft-deleted items, as the rules want them told, and the others. */
function partition(items: readonly ItemRow[]): [{ name: string; purgeAt: Temporal.Instant }[], ItemRow[]] {
  const deleted = items.flatMap(({ vm_name: name, purge_at: at }) =>
    at === null ? [] : [{ name, purgeAt: Temporal.Instant.from(at) }],
  );
  return [deleted, items.filter((item) => item.purge_at === null)];
}

/** A verification, repair, collection or replication would lose the store under it. */
async function refuseWhileWorkedOn({ workshop }: ApiScope, row: VaultRow): Promise<void> {
  for (const operation of [
    'VerifyStore',
    'RepairStore',
    'CollectStore',
    'Replicate',
    'VerifyReplica',
  ] as const) {
    const jobId = await openStoreJob(workshop, row.vault_id, operation);
    if (jobId === undefined) continue;
    throw new HoldfastError('ResourceInUse', `A job works on the store of vault '${row.name}'.`, {
      target: jobId,
      action: 'Wait until that job has ended, or cancel it, then try again.',
    });
  }
}

/**
 * Prepares the place of a new store: makes the directory, or keeps the credentials of an address. Returns what undoes it.
 * @throws InvalidInput @throws StoreExists
 */
export async function claimPlace(
  scope: ApiScope,
  place: string,
  credentials: Record<string, string> | undefined,
): Promise<() => Promise<void>> {
  const { db } = scope.workshop;
  const known = [...(await listVaults(db)), ...(await listReplicas(db))];
  await scope.storePlaces.add(
    place,
    credentials,
    known.some((row) => row.store_path === place),
  );
  const made = place.startsWith('/') && (await claimDirectory(place));
  return async () => {
    if (made) await rm(place, { recursive: true, force: true });
    await scope.storePlaces.forget(place);
  };
}

/**
 * Makes the directory of a store. Returns whether it was not there: then nobody else put anything into it, and it may be
 * removed again. False as well where it can't be made; the store itself says why.
 */
async function claimDirectory(path: string): Promise<boolean> {
  try {
    await makeDirectoryDurable(dirname(path));
    await mkdir(path, { mode: 0o700 });
    await syncDirectory(dirname(path));
    return true;
  } catch {
    return false;
  }
}

/** What opens a new store beside the service's key file. @throws KeyNotUsable for a passphrase that is too short */
function othersThatOpen(body: VaultRequest, recoveryKey: string): NewSecret[] {
  const secrets: NewSecret[] = [{ kind: 'recovery', text: recoveryKey, label: 'recovery key' }];
  const passphrase = body.properties?.holdfast?.encryption?.passphrase;
  if (passphrase !== undefined) secrets.push({ kind: 'passphrase', text: passphrase, label: 'passphrase' });
  for (const secret of secrets) checkNewSecret(secret);
  return secrets;
}

/** @throws InvalidInput where a passphrase would protect nothing */
function refusePassphraseOfPlain({ properties }: VaultRequest): void {
  const encryption = properties?.holdfast?.encryption;
  if (encryption?.state === 'Disabled' && encryption.passphrase !== undefined)
    throw new HoldfastError('InvalidInput', 'A vault that is not encrypted has no passphrase.');
}

/** Region, store and encryption are chosen once. */
function refuseFixedChange(known: VaultRow, { location, properties }: VaultRequest): void {
  const { storePath, encryption } = properties?.holdfast ?? {};
  const state = known.encrypted === 0 ? 'Disabled' : 'Enabled';
  const change =
    location.toLowerCase() !== known.location.toLowerCase()
      ? `region (it is '${known.location}')`
      : storePath !== undefined && storePath !== known.store_path
        ? `store (it is ${known.store_path})`
        : encryption !== undefined && encryption.state !== state
          ? `encryption (it is ${state.toLowerCase()})`
          : encryption?.passphrase !== undefined
            ? 'passphrase so (add a key to it instead)'
            : undefined;
  if (change === undefined) return;
  throw new HoldfastError(
    'ResourceAlreadyExists',
    `Vault '${known.name}' exists already and can't change its ${change}.`,
    { target: known.name },
  );
}
