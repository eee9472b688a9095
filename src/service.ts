import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createLocalCredential, newFirstRunCode } from './access/index.ts';
import { createServer, ensureCertificate, loadPortal, resourceIds } from './api/index.ts';
import { findSetting, type HostRow, listHosts, saveHost, settingOrNew } from './catalog/index.ts';
import { HoldfastError, messageOf } from './errors/index.ts';
import { openHomeCatalog } from './home-catalog.ts';
import {
  BackgroundWork,
  backupOperation,
  type Clock,
  collectStoreOperation,
  configureOperation,
  createLimits,
  defaultJobHistoryDays,
  deleteDataOperation,
  disableOperation,
  Estate,
  endThawAlert,
  expirePointsOperation,
  fireThawAlert,
  followingPolicies,
  JobEngine,
  type Logger,
  maintenanceIdle,
  modifyPolicyOperation,
  openReplica,
  purgeOperation,
  registerOperation,
  removeLayersOperation,
  removeOldJobsOperation,
  repairStoreOperation,
  replicateOperation,
  restoreOperation,
  runScheduler,
  StorePlaces,
  type TransferLimits,
  undeleteOperation,
  unregisterOperation,
  VaultKeys,
  verifyReplicaOperation,
  verifyStoreOperation,
  type Workshop,
  watchForAlerts,
} from './jobs/index.ts';
import { openLibvirtHost } from './machines/index.ts';
import {
  ensurePrivateDirectory,
  ensurePrivateFile,
  makeDirectoryDurable,
  tryLockFile,
  unlinkDurable,
  writeFileDurable,
} from './platform/index.ts';
import { createStore, openStore } from './store/index.ts';

export interface ServiceOptions {
  /** Directory of everything the service keeps. Made if missing. */
  home: string;
  listen: { host: string; port: number };
  log: Logger;
  /** Address of a PostgreSQL database for the catalog; see `openHomeCatalog`. */
  database?: string | undefined;
  /** Waiting time before a refused snapshot is tried again. */
  snapshotRetryDelayMs?: number;
  /** Directories that clients may restore into, beside `restored` in the home. */
  restoreRoots?: readonly string[];
  transferLimits?: TransferLimits;
  /** How long ended jobs can be looked up. Default 180. */
  jobHistoryDays?: number;
}

export interface RunningService {
  /** Address the API answers at. */
  endpoint: string;
  /** Where the first person makes itself the owner, once and within an hour; undefined where there are people. */
  firstRunLink: string | undefined;
  /** Stops cleanly: no new work, running jobs are left for the next start, everything closed. */
  stop(): Promise<void>;
}

const systemClock: Clock = {
  now: () => Temporal.Now.instant(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
};

/** How long requests that are being answered may still take when the service stops. */
const lastAnswersMs = 10_000;

/**
 * Composes and starts the service. When it throws, nothing of it is left running.
 * @throws HomeNotUsable, HomeInUse, CatalogDamaged, CatalogElsewhere, CatalogInUse, CatalogVersionNotSupported, TlsCertificateNotUsable, AddressNotUsable
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const home = resolve(options.home);
  const { log } = options;
  // Everything that has to end, in the order it began; ended in reverse, each whatever happens to the others.
  await using starting = new AsyncDisposableStack();

  starting.use(await takeHome(home));
  const catalog = starting.use(await openHomeCatalog(home, options.database, log));
  const subscriptionId = await settingOrNew(catalog.db, 'subscriptionId', () => crypto.randomUUID());
  const places = new StorePlaces(join(home, 'store-credentials'));
  const vaultKeys = new VaultKeys(join(home, 'keys'), systemClock);
  const life = new AbortController();
  const estate = starting.use(
    new Estate(
      catalog.db,
      {
        openHost: (row) =>
          openLibvirtHost({
            uri: row.uri,
            stateDirectory: join(home, 'hosts', row.name),
            clock: systemClock,
            log,
            onAlert: ({ code, machineUuid, message }) =>
              noteAlert(
                { host: row.name, code, vm: machineUuid },
                message,
                fireThawAlert({ db: catalog.db, clock: systemClock }, row, machineUuid, message),
              ),
            onThawed: (machineUuid) =>
              void endThawAlert({ db: catalog.db, clock: systemClock }, row, machineUuid).catch(
                (error: unknown) => log.warn({ err: error }, 'the end of an alert was not noted'),
              ),
            ...(row.overlay_directory === null ? {} : { overlayDirectory: row.overlay_directory }),
          }),
        openStore: (row) =>
          vaultKeys.open(row, async (unlock) =>
            openStore(await places.backend(row.store_path), { clock: systemClock, ...unlock }),
          ),
        openReplica: (row) =>
          openReplica(vaultKeys, row, async (unlock) =>
            openStore(await places.backend(row.store_path), { clock: systemClock, ...unlock }),
          ),
      },
      log,
    ),
  );
  /** In the log at once, whatever becomes of the note. */
  function noteAlert(fields: object, message: string, noting: Promise<void>): void {
    log.error(fields, message);
    noting.catch((error: unknown) => log.error({ ...fields, err: error }, 'an alert was not noted'));
  }
  const engine = new JobEngine(catalog.db, systemClock, log, {
    // With a catalog of its own, the lock of the home has said already that nobody else is there.
    home: catalog.isShared ? `${hostname()}:${home}` : 'this',
    isShared: catalog.isShared,
    isAlone: catalog.isShared,
  });
  const workshop: Workshop = {
    db: catalog.db,
    estate,
    engine,
    ...createLimits(catalog.db, systemClock, log, engine.worker, options.transferLimits),
    background: new BackgroundWork(),
    clock: systemClock,
    log,
    signal: life.signal,
    snapshotRetryDelayMs: options.snapshotRetryDelayMs ?? 60_000,
    jobHistoryDays: options.jobHistoryDays ?? defaultJobHistoryDays,
  };
  starting.defer(() => engine.signOff());
  starting.defer(() => maintenanceIdle(workshop));
  starting.defer(async () => {
    const stopping = engine.stop();
    // After the jobs were told: one that loses its host now is taken up at the next start, and does not fail.
    estate.abandonOpenings();
    await stopping;
  });
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

  const tls = await ensureCertificate(join(home, 'tls'), options.listen.host, new Date());
  const credential = createLocalCredential();
  const server = createServer({
    scope: {
      workshop,
      ids: resourceIds(subscriptionId),
      subscriptionId,
      defaultStoreRoot: join(home, 'stores'),
      home,
      restoreRoots: [join(home, 'restored'), ...(options.restoreRoots ?? [])],
      version: await packageVersion(),
      startedAt: systemClock.now(),
      storePlaces: places,
      openStoreAt: async (place, secrets) =>
        openStore(await places.backend(place), {
          clock: systemClock,
          ...(secrets.length === 0 ? {} : { unlock: secrets }),
        }),
      createStore: async (place, secrets) =>
        createStore(await places.backend(place), {
          clock: systemClock,
          encryption: secrets.length === 0 ? 'none' : { secrets },
        }),
      openStore: async (row, secret) =>
        openStore(await places.backend(row.store_path), { clock: systemClock, unlock: [secret] }),
      vaultKeys,
    },
    credential,
    tls,
    log,
    portal: await loadPortal(join(import.meta.dirname, '..', 'portal', 'dist'), log),
  });
  starting.defer(() => closeServer(server));
  starting.defer(() => life.abort());
  await engine.resumeOpenJobs();
  const endpoint = await listen(server, options.listen);

  const localFile = join(home, 'run', 'local.json');
  await makeDirectoryDurable(join(home, 'run'), 0o700);
  starting.defer(() => unlinkDurable(localFile));
  await writeFileDurable(
    localFile,
    `${JSON.stringify({ endpoint, token: credential.token, caFile: tls.certPath, pid: process.pid })}\n`,
    { mode: 0o600 },
  );
  const code = await newFirstRunCode(catalog.db, systemClock.now().epochMilliseconds);
  const firstRunLink = code === undefined ? undefined : `${endpoint}/holdfast/first-run?code=${code}`;
  // Hosts are reconciled when they are opened; those of earlier runs are opened now rather than at the next backup.
  for (const row of await listHosts(catalog.db)) {
    estate
      .host(row.name)
      .catch((error: unknown) => log.warn({ host: row.name, err: error }, 'host does not answer'));
  }
  const running = starting.move();
  const watching = Promise.all([
    runScheduler(workshop, life.signal),
    watchForAlerts(workshop, life.signal),
    adoptSystemHost(workshop).catch((error: unknown) =>
      log.error({ err: error }, 'looking for libvirt failed'),
    ),
  ]);
  watching.catch((error: unknown) => log.error({ err: error }, 'the scheduler failed'));

  const stop = async () => {
    life.abort();
    await using _rest = running;
    await watching;
  };
  let stopped: Promise<void> | undefined;
  return { endpoint, firstRunLink, stop: () => (stopped ??= stop()) };
}

/** Makes the home the service's own: private, and locked. @throws HomeNotUsable, HomeInUse */
async function takeHome(home: string): Promise<Disposable> {
  const lockFile = join(home, 'lock');
  try {
    await ensurePrivateDirectory(home);
    await ensurePrivateFile(lockFile);
  } catch (error) {
    throw new HoldfastError('HomeNotUsable', `The home ${home} can't be used: ${messageOf(error)}.`, {
      cause: error,
      target: home,
    });
  }
  const lock = tryLockFile(lockFile);
  if (lock !== undefined) return lock;
  throw new HoldfastError('HomeInUse', `Another Holdfast service is using ${home}.`, { target: home });
}

/** Takes no new requests, and answers those under way, unless that takes too long. */
async function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), lastAnswersMs);
  try {
    await server.close();
  } finally {
    clearTimeout(timer);
  }
}

async function packageVersion(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function listen(
  server: ReturnType<typeof createServer>,
  address: ServiceOptions['listen'],
): Promise<string> {
  try {
    await server.listen(address);
  } catch (error) {
    throw new HoldfastError(
      'AddressNotUsable',
      `Can't listen on ${address.host}:${address.port}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  const bound = server.server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : address.port;
  const host = address.host === '0.0.0.0' || address.host === '::' ? 'localhost' : address.host;
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Where a system libvirt listens: the monolithic daemon, or the modular one of newer distributions. */
const systemSockets = ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'];
const systemUri = /^qemu(\+unix)?:\/\/\/system$/i;
const lookAgainMs = 20_000;

/**
 * Adds `qemu:///system` as host `local` the first time it is there and answers. A user who removes it does not get it
 * back. Looks until it has been found, or the service stops.
 */
async function adoptSystemHost({ db, estate, clock, log, signal }: Workshop): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const row: HostRow = {
    resource_group: 'default',
    name: 'local',
    location: 'local',
    zone: null,
    uri: 'qemu:///system',
    overlay_directory: null,
    created_at: clock.now().toString({ fractionalSecondDigits: 3 }),
  };
  while (!signal.aborted && (await findSetting(db, 'systemHostAdopted')) === undefined) {
    if (systemSockets.some((path) => existsSync(path))) {
      try {
        await estate.tryHost(row);
        await db.transaction().execute(async (tx) => {
          await settingOrNew(tx, 'systemHostAdopted', () => row.created_at);
          // Connected by hand already, under whatever name; or the name is taken by another.
          if ((await listHosts(tx)).some((host) => systemUri.test(host.uri) || host.name === row.name))
            return;
          await saveHost(tx, row);
          log.info({ uri: row.uri }, "found this machine's libvirt and added it as host 'local'");
        });
        return;
      } catch (error) {
        log.warn({ uri: row.uri, err: error }, "this machine's libvirt does not answer yet");
      }
    }
    await clock.sleep(lookAgainMs, signal).catch(() => {});
  }
}
