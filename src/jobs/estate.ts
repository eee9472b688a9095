import {
  type Database,
  findHost,
  type HostRow,
  listHosts,
  type ReplicaRow,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError, messageOf } from '../errors/index.ts';
import type { Host, HostFacts, Machine } from '../machines/index.ts';
import type { Store } from '../store/index.ts';
import type { Logger } from './logger.ts';

/** How the estate opens what the catalog only names. */
export interface EstateOpeners {
  openHost(row: HostRow): Promise<Host>;
  openStore(row: VaultRow): Promise<Store>;
  openReplica(row: ReplicaRow): Promise<Store>;
}

/** A VM together with the host it was found on. */
export interface FoundMachine {
  host: HostRow;
  machine: Machine;
}

export type HostStatus =
  | { connected: true; facts: HostFacts; machines: number }
  | { connected: false; message: string };

/** How long a host may take to answer, its opening included, when many are asked. */
const surveyTimeoutMs = 30_000;

/** How long taking up what an earlier run left on a host may take. */
const reconcileTimeoutMs = 10 * 60_000;

/** A host that is open, or being opened, as its row said then. */
interface OpenedHost {
  row: HostRow;
  opening: Promise<Host>;
  /** Ends the opening early. */
  abort: AbortController;
}

/** What of a row decides how its host is reached; a change of anything else needs no new connection. */
export function sameConnection(a: HostRow, b: HostRow): boolean {
  return a.uri === b.uri && a.overlay_directory === b.overlay_directory;
}

/**
 * The open hosts and stores behind the rows of the catalog. Opened when first needed and kept; one that could not be
 * opened is tried again the next time it is needed. A host is reconciled before anything else is done with it.
 */
export class Estate implements AsyncDisposable {
  readonly #db: Database;
  readonly #openers: EstateOpeners;
  readonly #log: Logger;
  readonly #surveyTimeoutMs: number;
  readonly #hosts = new Map<string, OpenedHost>();
  /** Hosts being let go: the next connection waits, for two must not work on the same ledgers. */
  readonly #closingHosts = new Map<string, Promise<void>>();
  readonly #stores = new Map<string, Promise<Store>>();

  constructor(db: Database, openers: EstateOpeners, log: Logger, options: { surveyTimeoutMs?: number } = {}) {
    this.#db = db;
    this.#openers = openers;
    this.#log = log;
    this.#surveyTimeoutMs = options.surveyTimeoutMs ?? surveyTimeoutMs;
  }

  /** @throws ResourceNotFound when the catalog knows no such host, HostUnreachable when it does not answer */
  async host(name: string): Promise<Host> {
    const row = await findHost(this.#db, name);
    if (row === undefined)
      throw new HoldfastError('ResourceNotFound', `There is no host named '${name}'.`, { target: name });
    const known = this.#hosts.get(row.name);
    if (known !== undefined && sameConnection(known.row, row)) return known.opening;
    if (known !== undefined) void this.closeHost(row.name);
    const abort = new AbortController();
    const entry = { row, abort, opening: this.#openAndReconcile(row, abort.signal) };
    this.#hosts.set(row.name, entry);
    entry.opening.catch(() => {
      if (this.#hosts.get(row.name) === entry) this.#hosts.delete(row.name);
    });
    return entry.opening;
  }

  async #openAndReconcile(row: HostRow, signal: AbortSignal): Promise<Host> {
    await this.#closingHosts.get(row.name);
    signal.throwIfAborted();
    const host = await this.#openers.openHost(row);
    try {
      const report = await host.reconcile(AbortSignal.any([signal, AbortSignal.timeout(reconcileTimeoutMs)]));
      for (const action of report.actions) this.#log.warn({ host: row.name }, action);
      for (const file of report.unknownFiles)
        this.#log.warn(
          { host: row.name, file },
          'a file looks like a layer of ours but no ledger knows it; left alone',
        );
      for (const vm of report.notThawed)
        this.#log.error({ host: row.name, vm }, 'the guest could not be confirmed thawed; thaw it by hand');
      signal.throwIfAborted();
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Connects to a host that is not in the catalog yet, to find out whether it answers. @throws HostUnreachable */
  async tryHost(row: HostRow): Promise<void> {
    await using host = await this.#openers.openHost(row);
    await host.facts(AbortSignal.timeout(this.#surveyTimeoutMs));
  }

  /** Lets go of a host, for example because it was removed or its address changed. Whoever still uses it is cut off. */
  async closeHost(name: string): Promise<void> {
    const known = this.#hosts.get(name);
    if (known === undefined) return this.#closingHosts.get(name);
    this.#hosts.delete(name);
    known.abort.abort(new HoldfastError('HostUnreachable', `Host '${name}' is being disconnected.`));
    const before = this.#closingHosts.get(name);
    const closing = (async () => {
      await before;
      const host = await known.opening.catch(() => undefined);
      try {
        await host?.[Symbol.asyncDispose]();
      } catch (error) {
        this.#log.warn({ host: name, err: error }, 'a host could not be let go of properly');
      }
    })();
    this.#closingHosts.set(name, closing);
    await closing;
    if (this.#closingHosts.get(name) === closing) this.#closingHosts.delete(name);
  }

  /** Ends the opening of hosts that are not open yet, for whoever waits for them is to stop. */
  abandonOpenings(): void {
    for (const { abort } of this.#hosts.values()) {
      abort.abort(new HoldfastError('ServiceStopping', 'The service is stopping.'));
    }
  }

  /** Asks a host for its facts and the number of its VMs; never throws for a host that does not answer. */
  async hostStatus(row: HostRow): Promise<HostStatus> {
    try {
      const signal = AbortSignal.timeout(this.#surveyTimeoutMs);
      const host = await orGiveUp(this.host(row.name), row, signal);
      const [facts, machines] = await Promise.all([host.facts(signal), host.listMachines(signal)]);
      return { connected: true, facts, machines: machines.length };
    } catch (error) {
      return { connected: false, message: messageOf(error) };
    }
  }

  /** Every VM of every host that answers. */
  async listMachines(): Promise<FoundMachine[]> {
    const rows = await listHosts(this.#db);
    const lists = await Promise.all(
      rows.map(async (row) => {
        try {
          const signal = AbortSignal.timeout(this.#surveyTimeoutMs);
          const host = await orGiveUp(this.host(row.name), row, signal);
          const machines = await host.listMachines(signal);
          return machines.map((machine) => ({ host: row, machine }));
        } catch (error) {
          this.#log.warn({ host: row.name, err: error }, 'host does not answer');
          return [];
        }
      }),
    );
    return lists.flat();
  }

  /**
   * Finds a VM by its name, compared without case.
   * @throws UserErrorVmNotFoundV2, or ResourceAmbiguous when several hosts of the group have one of that name
   */
  async findMachine(resourceGroup: string, name: string): Promise<FoundMachine> {
    const wanted = name.toLowerCase();
    const found = (await this.listMachines()).filter(
      ({ host, machine }) =>
        host.resource_group.toLowerCase() === resourceGroup.toLowerCase() &&
        machine.name.toLowerCase() === wanted,
    );
    if (found.length > 1) {
      const hosts = found.map((entry) => entry.host.name).join(', ');
      throw new HoldfastError(
        'ResourceAmbiguous',
        `Several VMs of resource group '${resourceGroup}' are named '${name}' (on ${hosts}).`,
        { target: name },
      );
    }
    const [only] = found;
    if (only === undefined) {
      throw new HoldfastError(
        'UserErrorVmNotFoundV2',
        `There is no VM named '${name}' on any connected host of resource group '${resourceGroup}'.`,
        { target: name },
      );
    }
    return only;
  }

  /** @throws what opening the store throws: StoreNotFound, StoreVersionNotSupported, StoreInUse, ... */
  async store(vault: VaultRow): Promise<Store> {
    return this.#openOnce(vault.vault_id, vault, `the one of vault '${vault.name}'`, () =>
      this.#openers.openStore(vault),
    );
  }

  /** The open store, or else what `open` opens: for a store that the openers have no key for. */
  async storeOpenedBy(vault: VaultRow, open: () => Promise<Store>): Promise<Store> {
    await this.#stores.get(vault.vault_id)?.catch(() => {});
    return this.#openOnce(vault.vault_id, vault, `the one of vault '${vault.name}'`, open);
  }

  /** The second store of a vault. @throws as {@link store} */
  async replica(replica: ReplicaRow): Promise<Store> {
    return this.#openOnce(replicaKey(replica.vault_id), replica, 'the replica that was set up there', () =>
      this.#openers.openReplica(replica),
    );
  }

  #openOnce(
    key: string,
    expected: Pick<VaultRow, 'store_id' | 'store_path'>,
    what: string,
    open: () => Promise<Store>,
  ): Promise<Store> {
    const known = this.#stores.get(key);
    if (known !== undefined) return known;
    const opening = open().then(async (store) => {
      if (store.storeId === expected.store_id) return store;
      await store[Symbol.asyncDispose]();
      throw new HoldfastError('StoreNotFound', `The store at ${expected.store_path} is not ${what}.`, {
        target: expected.store_path,
      });
    });
    this.#keep(key, opening);
    return opening;
  }

  /** Kept until it turns out to be of no use: not opened, or its lock lost. The next who needs it opens it anew. */
  #keep(key: string, opening: Promise<Store>): void {
    this.#stores.set(key, opening);
    const drop = () => {
      if (this.#stores.get(key) === opening) this.#stores.delete(key);
    };
    opening.then((store) => {
      const onLost = () => {
        this.#log.error({ store: key, err: store.lost.reason }, 'a store is let go of, for its lock is lost');
        drop();
        Promise.resolve(store[Symbol.asyncDispose]()).catch((error: unknown) =>
          this.#log.error({ store: key, err: error }, 'a store could not be closed properly'),
        );
      };
      if (store.lost.aborted) onLost();
      else store.lost.addEventListener('abort', onLost, { once: true });
    }, drop);
  }

  /** Takes a store that has just been made, so that it is not opened a second time. */
  adoptStore(vaultId: string, store: Store): void {
    this.#keep(vaultId, Promise.resolve(store));
  }

  /** As {@link adoptStore}, for the second store of a vault. */
  adoptReplica(vaultId: string, store: Store): void {
    this.adoptStore(replicaKey(vaultId), store);
  }

  async closeReplica(vaultId: string): Promise<void> {
    await this.closeStore(replicaKey(vaultId));
  }

  async closeStore(vaultId: string): Promise<void> {
    const opening = this.#stores.get(vaultId);
    this.#stores.delete(vaultId);
    const store = await opening?.catch(() => undefined);
    await store?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const names = new Set([...this.#hosts.keys(), ...this.#closingHosts.keys()]);
    for (const name of names) await this.closeHost(name);
    for (const vaultId of [...this.#stores.keys()]) await this.closeStore(vaultId);
  }
}

/** Stores are kept by vault; a second one beside it. */
const replicaKey = (vaultId: string) => `replica of ${vaultId}`;

/** Waits for a host to be opened no longer than the signal allows; the opening itself goes on. */
async function orGiveUp(opening: Promise<Host>, row: HostRow, signal: AbortSignal): Promise<Host> {
  const late = Promise.withResolvers<never>();
  const giveUp = () =>
    late.reject(
      new HoldfastError('HostUnreachable', `Host '${row.name}' is still being connected.`, {
        target: row.name,
        action: 'Try again in a while; if it stays so, check that libvirt answers there.',
      }),
    );
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([opening, late.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
