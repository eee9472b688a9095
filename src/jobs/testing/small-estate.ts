import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KyselyPlugin } from 'kysely';
import { scratchPlace } from '../../../tests/support/scratch-place.ts';
import {
  getItem,
  type ItemRow,
  insertItem,
  insertReplica,
  insertVault,
  listOpenJobs,
  openCatalog,
  saveHost,
  type VaultRow,
} from '../../catalog/index.ts';
import { createMemoryHost, type MemoryHost } from '../../machines/index.ts';
import {
  type BackupPolicy,
  defaultPolicy,
  type ReplicaRetention,
  retryWaitMs,
} from '../../protection/index.ts';
import {
  createStore,
  fileSystemBackend,
  type MemoryBackend,
  memoryBackend,
  openStore,
  type Store,
} from '../../store/index.ts';
import { BackgroundWork } from '../background-work.ts';
import { backupOperation } from '../backup.ts';
import { collectStoreOperation } from '../collect-store.ts';
import { configureOperation } from '../configure-operation.ts';
import { deleteDataOperation } from '../delete-data.ts';
import { JobEngine } from '../engine.ts';
import { Estate } from '../estate.ts';
import { expirePointsOperation } from '../expire-points.ts';
import { removeLayersOperation } from '../left-layers.ts';
import { createLimits } from '../limits.ts';
import { defaultJobHistoryDays, maintenanceIdle } from '../maintenance.ts';
import { followingPolicies, modifyPolicyOperation } from '../modify-policy.ts';
import { planNextBackup } from '../next-backup.ts';
import { underPolicy } from '../policies.ts';
import { purgeOperation } from '../purge.ts';
import { registerOperation, unregisterOperation } from '../register.ts';
import { removeOldJobsOperation } from '../remove-old-jobs.ts';
import { repairStoreOperation } from '../repair-store.ts';
import { openReplication, replicateOperation } from '../replicate.ts';
import { restoreOperation } from '../restore.ts';
import { disableOperation } from '../stop-protection.ts';
import { undeleteOperation } from '../undelete.ts';
import { verifyReplicaOperation } from '../verify-replica.ts';
import { verifyStoreOperation } from '../verify-store.ts';
import type { Workshop } from '../workshop.ts';

/** A service's insides over a machine of byte arrays and a store in memory; the catalog is a real file. */
export interface SmallEstate extends AsyncDisposable {
  directory: string;
  host: MemoryHost;
  vmUuid: string;
  vault: VaultRow;
  itemId: string;
  /** The running service; replaced by `restart`. */
  workshop: Workshop;
  /** Whether jobs are tried again that failed of what can pass; most tests want their failure at once. */
  retries: boolean;
  /** What the clock says; tests move it. */
  now: Temporal.Instant;
  item(): Promise<ItemRow>;
  store(): Promise<Store>;
  /** Where the vault's store and its replica keep their objects. */
  backend: MemoryBackend;
  replicaBackend: MemoryBackend;
  /** One more vault, with a store of its own; `policies` are those it begins with. */
  addVault(vaultId: string, name: string, policies: readonly BackupPolicy[]): Promise<VaultRow>;
  /** Gives the vault a second store. */
  addReplica(retention?: ReplicaRetention): Promise<void>;
  /** The job that replicates the vault now, waited for with what it sets going; undefined when none is open. */
  replicated(): Promise<string | undefined>;
  /** Waits for every job that is open, and for the maintenance after it. */
  idle(): Promise<void>;
  /** Ends the service as SIGTERM does, and starts it anew. */
  restart(): Promise<void>;
  /**
   * Lets the service die as soon as it asks the catalog for the n-th thing from now (0: the next): that is not done any
   * more, and nothing is after it. `restart` then starts the next one.
   */
  dieAtStatement(count: number): void;
  /** As {@link dieAtStatement}, where only those count that write. */
  dieAtWrite(count: number): void;
  /** Whether it has died since it was started. */
  isDead(): boolean;
  /** Waits for a job and for the maintenance after it. */
  settled(jobId: string): Promise<void>;
}

const diskBytes = 1024 * 1024;

/** @param begins what the clock says at first; the time of day where nothing depends on it */
export async function createSmallEstate(begins = Temporal.Now.instant()): Promise<SmallEstate> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-jobs-'));
  const scratch = await scratchPlace(directory);
  const host = createMemoryHost({ now: () => estate.now });
  const vmUuid = host.addMachine('web', { vda: diskBytes, vdb: diskBytes / 2 });
  const backend = memoryBackend();
  const backends = new Map([['v1', backend]]);
  const created = '2026-01-01T12:00:00.000Z';

  const estate: SmallEstate = {
    directory,
    host,
    vmUuid,
    vault: {
      vault_id: 'v1',
      resource_group: 'default',
      name: 'Main',
      location: 'local',
      tags_json: '{}',
      settings_json: '{}',
      store_path: '/none',
      store_id: '',
      encrypted: 0,
      immutability: 'Disabled',
      soft_delete: 'Enabled',
      soft_delete_days: 14,
      created_at: created,
    },
    itemId: 'i1',
    now: begins,
    retries: false,
    workshop: undefined as unknown as Workshop,
    item: () => getItem(estate.workshop.db, 'i1'),
    store: () => estate.workshop.estate.store(estate.vault),
    backend,
    replicaBackend: memoryBackend(),
    async addVault(vaultId, name, policies) {
      const other = memoryBackend();
      backends.set(vaultId, other);
      await using store = await createStore(other, { clock });
      const row = { ...estate.vault, vault_id: vaultId, name, store_id: store.storeId };
      await insertVault(estate.workshop.db, row, policies);
      return row;
    },
    async addReplica(retention = { mode: 'follow' }) {
      const store = await createStore(estate.replicaBackend, { clock });
      estate.workshop.estate.adoptReplica('v1', store);
      await insertReplica(estate.workshop.db, {
        vault_id: 'v1',
        store_path: '/replica',
        store_id: store.storeId,
        encrypted: 0,
        retention_json: JSON.stringify(retention),
        bytes_per_second: null,
        created_at: created,
        attempted_at: null,
        completed_at: null,
        failures: 0,
        collected_at: null,
        verify_cursor_json: null,
        verify_started_at: null,
        verified_at: null,
        last_error_json: null,
      });
    },
    async replicated() {
      const jobId = await openReplication(estate.workshop, 'v1');
      if (jobId !== undefined) await estate.settled(jobId);
      return jobId;
    },
    dieAtStatement(count) {
      death.statementsLeft = count;
    },
    dieAtWrite(count) {
      death.writesLeft = count;
    },
    isDead: () => death.isDead,
    async restart() {
      await stop();
      await start();
    },
    async settled(jobId) {
      await estate.workshop.engine.wait(jobId);
      await maintenanceIdle(estate.workshop);
    },
    async idle() {
      for (const { job_id: jobId } of await listOpenJobs(estate.workshop.db))
        await estate.workshop.engine.wait(jobId);
      await maintenanceIdle(estate.workshop);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await scratch[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };

  const clock = {
    now: () => estate.now,
    monotonicMs: () => performance.now(),
    sleep: async (_ms: number, signal?: AbortSignal) => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    },
  };
  const log = { info() {}, warn() {}, error() {} };
  let stop = async () => {};
  const forEver = Number.POSITIVE_INFINITY;
  const death = { statementsLeft: forEver, writesLeft: forEver, isDead: false };
  const mortal: KyselyPlugin = {
    transformQuery({ node }) {
      const writes = node.kind !== 'SelectQueryNode';
      if (death.isDead || death.statementsLeft-- <= 0 || (writes && death.writesLeft-- <= 0)) {
        death.isDead = true;
        throw new Error('the service is dead');
      }
      return node;
    },
    transformResult: async ({ result }) => result,
  };

  async function start(): Promise<void> {
    death.isDead = false;
    death.statementsLeft = forEver;
    death.writesLeft = forEver;
    const catalog = await openCatalog(scratch.place);
    const db = catalog.db.withPlugin(mortal);
    const life = new AbortController();
    const engine = new JobEngine(db, clock, log, {
      home: 'this',
      retryWaitMs: (code, failures) => (estate.retries ? retryWaitMs(code, failures, 1) : undefined),
    });
    const workshop: Workshop = {
      db,
      engine,
      estate: new Estate(
        db,
        {
          openHost: async () => host,
          openStore: ({ vault_id: id }) => openStore(backends.get(id) ?? backend, { clock }),
          openReplica: ({ store_path: path }) =>
            openStore(path === '/replica' ? estate.replicaBackend : fileSystemBackend(path), { clock }),
        },
        log,
      ),
      ...createLimits(db, clock, log, engine.worker),
      background: new BackgroundWork(),
      clock,
      log,
      signal: life.signal,
      snapshotRetryDelayMs: 1,
      jobHistoryDays: defaultJobHistoryDays,
    };
    engine.register('Backup', backupOperation(workshop));
    engine.register('Restore', restoreOperation(workshop));
    engine.register('ConfigureBackup', followingPolicies(workshop, configureOperation(workshop)));
    engine.register('ModifyPolicy', modifyPolicyOperation(workshop));
    engine.register('ExpirePoints', expirePointsOperation(workshop));
    engine.register('RemoveLayers', removeLayersOperation(workshop));
    engine.register('RemoveOldJobs', removeOldJobsOperation());
    engine.register('DisableBackup', disableOperation(workshop));
    engine.register('DeleteBackupData', deleteDataOperation(workshop));
    engine.register('Undelete', undeleteOperation(workshop));
    engine.register('Purge', purgeOperation(workshop));
    engine.register('Register', registerOperation(workshop));
    engine.register('UnRegister', unregisterOperation());
    engine.register('Replicate', replicateOperation(workshop));
    engine.register('VerifyReplica', verifyReplicaOperation(workshop));
    engine.register('VerifyStore', verifyStoreOperation(workshop));
    engine.register('RepairStore', repairStoreOperation(workshop));
    engine.register('CollectStore', collectStoreOperation(workshop));
    estate.workshop = workshop;
    stop = async () => {
      life.abort();
      await engine.stop();
      await maintenanceIdle(workshop);
      await engine.signOff();
      await workshop.estate[Symbol.asyncDispose]();
      await catalog[Symbol.asyncDispose]();
    };
    await engine.resumeOpenJobs();
  }

  {
    await using store = await createStore(backend, { clock });
    estate.vault.store_id = store.storeId;
  }
  await start();
  const { db } = estate.workshop;
  await saveHost(db, {
    resource_group: 'default',
    name: 'memory',
    location: 'local',
    zone: null,
    uri: 'memory:',
    overlay_directory: null,
    created_at: created,
  });
  await insertVault(db, estate.vault, [defaultPolicy]);
  await insertItem(db, {
    item_id: 'i1',
    vault_id: 'v1',
    vm_uuid: vmUuid,
    vm_name: 'web',
    host_resource_group: 'default',
    host_name: 'memory',
    ...underPolicy(defaultPolicy, estate.now),
    state: 'IRPending',
    excluded_disks_json: '[]',
    agent_json: null,
    created_at: created,
    last_backup_status: '',
    last_backup_at: null,
    last_error_json: null,
    deleted_at: null,
    purge_at: null,
    purging: 0,
    revision: 0,
  });
  await planNextBackup(db, 'i1', estate.now);
  return estate;
}
