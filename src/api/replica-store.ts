import { rm } from 'node:fs/promises';
import { listReplicas, listVaults, type VaultRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import type { Store } from '../jobs/index.ts';
import { claimDirectory } from './routes/vaults.ts';
import type { ApiScope } from './scope.ts';

/**
 * Makes the second store of a vault, or takes one that is there and holds nothing but copies of the vault: one that was
 * set up before, or that outlived the service. `undo` takes back what was made.
 * @throws ReplicaNotUsable @throws StoreInUse @throws StoreDamaged @throws StoreUnavailable
 */
export async function setUpReplicaStore(
  scope: ApiScope,
  vault: VaultRow,
  path: string,
): Promise<{ store: Store; undo: () => Promise<void> }> {
  await refuseKnownPlace(scope, vault, path);
  const there = await openIfThere(scope, path);
  if (there !== undefined) {
    try {
      await refuseOthers(there, vault, path);
    } catch (error) {
      await there[Symbol.asyncDispose]();
      throw error;
    }
    return { store: there, undo: async () => there[Symbol.asyncDispose]() };
  }
  const made = await claimDirectory(path);
  const giveBack = async () => {
    if (made) await rm(path, { recursive: true, force: true });
  };
  try {
    const store = await scope.replicaStores.create(path);
    return {
      store,
      async undo() {
        await store[Symbol.asyncDispose]();
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

/** The same directory, or one inside the other. */
function overlaps(a: string, b: string): boolean {
  const asPrefix = (path: string) => (path.endsWith('/') ? path : `${path}/`);
  return asPrefix(a).startsWith(asPrefix(b)) || asPrefix(b).startsWith(asPrefix(a));
}

async function openIfThere(scope: ApiScope, path: string): Promise<Store | undefined> {
  try {
    return await scope.replicaStores.open(path);
  } catch (error) {
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
