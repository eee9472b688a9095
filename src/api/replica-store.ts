import { listReplicas, listVaults, type VaultRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import {
  checkNewSecret,
  type NewSecret,
  newRecoveryKey,
  replicaKeyId,
  type Store,
  type StoreSecret,
  serviceKeyLabel,
} from '../jobs/index.ts';
import { claimPlace } from './routes/vaults.ts';
import type { ApiScope } from './scope.ts';

export interface ReplicaStoreRequest {
  /** Path or address. */
  place: string;
  credentials: Record<string, string> | undefined;
  /** Of a store that is made now. */
  isEncrypted: boolean;
  passphrase: string | undefined;
  /** For a store that is there and whose key file is not. */
  unlock: StoreSecret | undefined;
}

export interface ReplicaStore {
  store: Store;
  isEncrypted: boolean;
  /** Of a store that was made now: to be shown, once. */
  recoveryKey?: string;
  /** Takes back what was made. */
  undo(): Promise<void>;
}

/**
 * Makes the second store of a vault, or takes one that is there and holds nothing but copies of the vault: one that was
 * set up before, or that outlived the service.
 * @throws ReplicaNotUsable @throws StoreKeyRequired @throws StoreInUse @throws StoreDamaged @throws StoreUnavailable
 */
export async function setUpReplicaStore(
  scope: ApiScope,
  vault: VaultRow,
  request: ReplicaStoreRequest,
): Promise<ReplicaStore> {
  await refuseKnownPlace(scope, vault, request.place);
  return (await takeOver(scope, vault, request)) ?? (await makeNew(scope, request));
}

async function makeNew(scope: ApiScope, request: ReplicaStoreRequest): Promise<ReplicaStore> {
  const { place, credentials, isEncrypted, passphrase } = request;
  const keyId = replicaKeyId(place);
  const recoveryKey = isEncrypted ? newRecoveryKey() : undefined;
  const others: NewSecret[] =
    recoveryKey === undefined ? [] : [{ kind: 'recovery', text: recoveryKey, label: 'recovery key' }];
  if (passphrase !== undefined && isEncrypted)
    others.push({ kind: 'passphrase', text: passphrase, label: 'passphrase' });
  for (const secret of others) checkNewSecret(secret);
  const giveBack = await claimPlace(scope, place, credentials);
  const giveUp = async () => {
    await giveBack();
    if (isEncrypted) await scope.vaultKeys.discard(keyId);
  };
  try {
    // The key file first: a store that the service could not open again would be of no use.
    const keyFile = isEncrypted ? [{ ...(await scope.vaultKeys.make(keyId)), label: serviceKeyLabel }] : [];
    const store = await scope.createStore(place, [...keyFile, ...others]);
    return {
      store,
      isEncrypted,
      ...(recoveryKey === undefined ? {} : { recoveryKey }),
      async undo() {
        await store[Symbol.asyncDispose]();
        await scope.storePlaces.abandon(place).catch(() => {}); // the first failure is the one to report
        await giveUp();
      },
    };
  } catch (error) {
    await giveUp();
    throw error;
  }
}

/** Undefined where there is no store. */
async function takeOver(
  scope: ApiScope,
  vault: VaultRow,
  request: ReplicaStoreRequest,
): Promise<ReplicaStore | undefined> {
  const { place, credentials } = request;
  await scope.storePlaces.add(place, credentials, false);
  let opened: Store | undefined;
  try {
    const store = await openWith(scope, request);
    opened = store;
    await refuseOthers(store, vault, place);
    await ensureKeyFile(scope, place, store);
    return {
      store,
      isEncrypted: store.keys !== undefined,
      async undo() {
        await store[Symbol.asyncDispose]();
        await scope.storePlaces.forget(place);
      },
    };
  } catch (error) {
    await opened?.[Symbol.asyncDispose]();
    await scope.storePlaces.forget(place);
    if (isHoldfastError(error, 'StoreNotFound')) return undefined;
    throw error;
  }
}

/**
 * With what there is: the key file of an earlier time, and what was brought. A store that is plain where a key is known
 * is refused (StoreNotEncrypted): somebody may have put it there to read what is copied.
 */
async function openWith(scope: ApiScope, { place, unlock }: ReplicaStoreRequest): Promise<Store> {
  const keyFile = await scope.vaultKeys.find(replicaKeyId(place));
  const secrets = [...(keyFile === undefined ? [] : [keyFile]), ...(unlock === undefined ? [] : [unlock])];
  try {
    return await scope.openStoreAt(place, secrets);
  } catch (error) {
    if (!isHoldfastError(error, 'StoreKeyRequired')) throw error;
    throw new HoldfastError('StoreKeyRequired', error.message, {
      cause: error,
      target: place,
      action: 'Give its recovery key with --recovery-key-file.',
    });
  }
}

/** A store that was opened by what somebody brought gets a key file, so that the service opens it by itself. */
async function ensureKeyFile(scope: ApiScope, place: string, { keys }: Store): Promise<void> {
  if (keys === undefined) return;
  const keyId = replicaKeyId(place);
  const known = await scope.vaultKeys.find(keyId);
  if (known !== undefined && (await keys.whose(known)) !== undefined) return;
  await keys.add({ ...(await scope.vaultKeys.make(keyId)), label: serviceKeyLabel });
}

/** Places that the service works with already: the lock would say so, too, but not whose they are. */
async function refuseKnownPlace(
  { workshop: { db } }: ApiScope,
  vault: VaultRow,
  path: string,
): Promise<void> {
  const vaults = await listVaults(db);
  const nameOf = (vaultId: string) => vaults.find((each) => each.vault_id === vaultId)?.name ?? vaultId;
  const places = [
    ...vaults.map((each) => ({
      path: each.store_path,
      what: each.vault_id === vault.vault_id ? "the vault's own store" : `the store of vault '${each.name}'`,
    })),
    ...(await listReplicas(db)).map((each) => ({
      path: each.store_path,
      what: `the replica of vault '${nameOf(each.vault_id)}'`,
    })),
  ];
  const known = places.find((place) => overlaps(place.path, path));
  if (known === undefined) return;
  throw new HoldfastError(
    'ReplicaNotUsable',
    `${path} can't hold the replica of vault '${vault.name}': ${known.what} is at ${known.path}.`,
    { target: path },
  );
}

/** The same directory or prefix, or one inside the other. What comes after `?` only says how an address is reached. */
function overlaps(a: string, b: string): boolean {
  const asPrefix = (place: string) => `${(place.split('?')[0] ?? '').replace(/\/+$/, '')}/`;
  return asPrefix(a).startsWith(asPrefix(b)) || asPrefix(b).startsWith(asPrefix(a));
}

async function refuseOthers(store: Store, vault: VaultRow, path: string): Promise<void> {
  const { points, damaged } = await store.listPoints();
  const other = points.find(({ copyOf }) => copyOf?.storeId !== vault.store_id);
  const why =
    store.storeId === vault.store_id
      ? "it is the vault's own store"
      : other !== undefined
        ? `it holds recovery point ${other.pointId}, which is no copy of this vault's`
        : points.length === 0 && damaged.length > 0
          ? 'its recovery points cannot be read'
          : undefined;
  if (why === undefined) return;
  throw new HoldfastError(
    'ReplicaNotUsable',
    `The store at ${path} can't be the replica of vault '${vault.name}': ${why}.`,
    { target: path },
  );
}
