import { listReplicas, listVaults, type VaultRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Store } from '../jobs/index.ts';
import { claimPlace } from './routes/vaults.ts';
import type { ApiScope } from './scope.ts';

/**
 * Makes the second store of a vault, or takes one that is there and holds nothing but copies of the vault: one that was
 * set up before, or that outlived the service. `undo` takes back what was made.
 * @throws ReplicaNotUsable @throws StoreInUse @throws StoreDamaged @throws StoreUnavailable
 */
export async function setUpReplicaStore(
  scope: ApiScope,
  vault: VaultRow,
  place: string,
  credentials: Record<string, string> | undefined,
): Promise<{ store: Store; undo: () => Promise<void> }> {
  await refuseKnownPlace(scope, vault, place);
  const there = await openIfThere(scope, vault, place, credentials);
  if (there !== undefined) return there;
  const giveBack = await claimPlace(scope, place, credentials);
  try {
    const store = await scope.replicaStores.create(place);
    return {
      store,
      async undo() {
        await store[Symbol.asyncDispose]();
        await scope.storePlaces.abandon(place).catch(() => {}); // the first failure is the one to report
        await giveBack();
      },
    };
  } catch (error) {
    await giveBack();
    throw error;
  }
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

/** Takes over a store that is there, if it is one of copies of the vault. */
async function openIfThere(
  scope: ApiScope,
  vault: VaultRow,
  place: string,
  credentials: Record<string, string> | undefined,
): Promise<{ store: Store; undo: () => Promise<void> } | undefined> {
  await scope.storePlaces.add(place, credentials, false);
  let store: Store | undefined;
  try {
    store = await scope.replicaStores.open(place);
    await refuseOthers(store, vault, place);
    const opened = store;
    return {
      store,
      async undo() {
        await opened[Symbol.asyncDispose]();
        await scope.storePlaces.forget(place);
      },
    };
  } catch (error) {
    await store?.[Symbol.asyncDispose]();
    await scope.storePlaces.forget(place);
    if (isHoldfastError(error, 'StoreNotFound')) return undefined;
    throw error;
  }
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
