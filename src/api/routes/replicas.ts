import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  countOnlyInReplica,
  deleteReplica,
  findReplica,
  insertReplica,
  type ReplicaRow,
  updateReplica,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../errors/index.ts';
import {
  type JobError,
  noReplica,
  openReplication,
  openStoreJob,
  replicaKeyId,
  replicaLag,
  retentionOf,
  securityOf,
  startRepair,
  startReplication,
  startReplicaVerification,
} from '../../jobs/index.ts';
import { isImmutable, type ReplicaRetention } from '../../protection/index.ts';
import {
  type Replica,
  type ReplicaRequest,
  repairStoreRequest,
  replicaRequest,
  replicaSyncRequest,
  verifyStoreRequest,
} from '../client/index.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { setUpReplicaStore } from '../replica-store.ts';
import { type ApiScope, accepted, parseBody, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';
import { presentStats, statsOf } from '../store-figures.ts';

const secretKindOf = { KeyFile: 'key-file', Passphrase: 'passphrase', RecoveryKey: 'recovery' } as const;

/** A vault has at most one. */
export const replicaPath = `${vaultPath}/providers/Holdfast.Fleet/replicas/default`;

type Retention = Replica['properties']['retention'];

function retentionFrom(asked: Retention): ReplicaRetention {
  if (asked.mode === 'Follow') return { mode: 'follow' };
  return { mode: 'keep', count: asked.count, days: asked.days };
}

function presentRetention(retention: ReplicaRetention): Retention {
  if (retention.mode === 'follow') return { mode: 'Follow' };
  const { count, days } = retention;
  return {
    mode: 'Keep',
    ...(count === undefined ? {} : { count }),
    ...(days === undefined ? {} : { days }),
  };
}

async function storeFigures(scope: ApiScope, row: ReplicaRow) {
  try {
    const stats = await statsOf(() => scope.workshop.estate.replica(row), row.store_path);
    return { status: 'Ready' as const, ...presentStats(stats) };
  } catch (error) {
    const status = isHoldfastError(error, 'VaultLocked') ? ('Locked' as const) : ('Unavailable' as const);
    return { status, statusMessage: messageOf(error) };
  }
}

async function present(scope: ApiScope, vault: VaultRow, row: ReplicaRow): Promise<Replica> {
  const { workshop } = scope;
  const lag = await replicaLag(workshop.db, row, workshop.clock.now());
  const jobId = await openReplication(workshop, vault.vault_id);
  return {
    id: scope.ids.replica(vault),
    name: 'default',
    type: 'Holdfast.Fleet/replicas',
    properties: {
      storePath: row.store_path,
      storeId: row.store_id,
      encryption:
        row.encrypted === 0
          ? { state: 'Disabled' }
          : { state: 'Enabled', keyFile: scope.vaultKeys.pathOf(replicaKeyId(row.store_path)) },
      ...(await storeFigures(scope, row)),
      retention: presentRetention(retentionOf(row)),
      ...(row.bytes_per_second === null ? {} : { bytesPerSecond: row.bytes_per_second }),
      lag: {
        recoveryPoints: lag.points,
        bytes: lag.bytes,
        ...(lag.since === undefined ? {} : { since: lag.since }),
      },
      ...(jobId === undefined ? {} : { jobId }),
      ...(row.attempted_at === null ? {} : { lastAttemptTime: row.attempted_at }),
      ...(row.completed_at === null ? {} : { lastCompletedTime: row.completed_at }),
      ...(row.verify_cursor_json === null || row.verify_started_at === null
        ? {}
        : { unfinishedVerificationSince: row.verify_started_at }),
      ...(row.verified_at === null ? {} : { lastVerifiedTime: row.verified_at }),
      ...(row.last_error_json === null ? {} : { lastError: JSON.parse(row.last_error_json) as JobError }),
    },
  };
}

export const registerReplicas: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db, estate } = workshop;
  const now = () => workshop.clock.now().toString({ fractionalSecondDigits: 3 });

  const replicaOf = async (vault: VaultRow): Promise<ReplicaRow> => {
    const row = await findReplica(db, vault.vault_id);
    if (row === undefined) throw noReplica(vault);
    return row;
  };

  app.get(replicaPath, async (request) => {
    const vault = await vaultOf(db, request);
    return present(scope, vault, await replicaOf(vault));
  });

  app.put(replicaPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { properties } = parseBody(replicaRequest, request);
    const known = await findReplica(db, vault.vault_id);
    if (known !== undefined) {
      await change(vault, known, properties);
      return present(scope, vault, await replicaOf(vault));
    }
    const recoveryKey = await setUp(vault, properties);
    await startReplication(workshop, vault, { userTriggered: true });
    reply.code(201);
    const replica = await present(scope, vault, await replicaOf(vault));
    if (recoveryKey !== undefined) {
      reply.header('cache-control', 'no-store');
      replica.properties.encryption.recoveryKey = recoveryKey;
    }
    return replica;
  });

  async function change(
    vault: VaultRow,
    known: ReplicaRow,
    { storePath, storeCredentials, retention, bytesPerSecond }: ReplicaRequest['properties'],
  ): Promise<void> {
    if (storePath !== undefined && storePath !== known.store_path) {
      throw new HoldfastError(
        'ResourceAlreadyExists',
        `Vault '${vault.name}' has a replica at ${known.store_path}.`,
        {
          target: vault.name,
          action: 'Remove it first with "holdfast vault replica remove"; its store stays as it is.',
        },
      );
    }
    if (storeCredentials !== undefined) await scope.storePlaces.replace(known.store_path, storeCredentials);
    const changes = {
      ...(retention === undefined ? {} : { retention_json: JSON.stringify(retentionFrom(retention)) }),
      ...(bytesPerSecond === undefined ? {} : { bytes_per_second: bytesPerSecond }),
    };
    if (Object.keys(changes).length > 0) await updateReplica(db, vault.vault_id, changes);
  }

  /** Returns the recovery key of a store that was made encrypted. */
  async function setUp(
    vault: VaultRow,
    properties: ReplicaRequest['properties'],
  ): Promise<string | undefined> {
    const { storePath, storeCredentials, encryption, unlock, bytesPerSecond } = properties;
    const { retention = { mode: 'Follow' } } = properties;
    if (storePath === undefined) {
      throw new HoldfastError(
        'InvalidInput',
        'Setting up a replica needs the directory or the address of its store.',
        {
          target: 'properties.storePath',
        },
      );
    }
    if (encryption?.state === 'Disabled' && encryption.passphrase !== undefined) {
      throw new HoldfastError('InvalidInput', 'A store that is not encrypted has no passphrase.', {
        target: 'properties.encryption',
      });
    }
    const { store, isEncrypted, recoveryKey, undo } = await setUpReplicaStore(scope, vault, {
      place: storePath,
      credentials: storeCredentials,
      isEncrypted: encryption?.state !== 'Disabled',
      passphrase: encryption?.passphrase,
      unlock: unlock && { kind: secretKindOf[unlock.kind], text: unlock.secret },
    });
    try {
      await insertReplica(db, {
        vault_id: vault.vault_id,
        store_path: storePath,
        store_id: store.storeId,
        encrypted: isEncrypted ? 1 : 0,
        retention_json: JSON.stringify(retentionFrom(retention)),
        bytes_per_second: bytesPerSecond ?? null,
        created_at: now(),
        attempted_at: null,
        completed_at: null,
        failures: 0,
        collected_at: null,
        verify_cursor_json: null,
        verify_started_at: null,
        verified_at: null,
        last_error_json: null,
      });
    } catch (error) {
      await undo();
      if ((await findReplica(db, vault.vault_id)) === undefined) throw error;
      throw new HoldfastError(
        'ResourceAlreadyExists',
        `Vault '${vault.name}' has just been given a replica.`,
        {
          cause: error,
          target: vault.name,
        },
      );
    }
    estate.adoptReplica(vault.vault_id, store);
    workshop.log.info({ vault: vault.name, store: storePath }, 'the vault has a replica');
    return recoveryKey;
  }

  app.delete(replicaPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const row = await replicaOf(vault);
    // Held while it goes: what works on the store would lose it.
    await using idle = await workshop.phases.tryEnter('replication', vault.vault_id);
    const running =
      (await openReplication(workshop, vault.vault_id)) ??
      (await openStoreJob(workshop, vault.vault_id, 'VerifyReplica')) ??
      (await openStoreJob(workshop, vault.vault_id, 'RepairStore'));
    if (idle === undefined || running !== undefined) {
      throw new HoldfastError('ResourceInUse', `A job works on the replica of vault '${vault.name}'.`, {
        target: running ?? vault.name,
        action: 'Wait until the job has ended, or cancel it, then try again.',
      });
    }
    const lost = await countOnlyInReplica(db, vault.vault_id, now());
    if (isImmutable(securityOf(vault)) && lost > 0)
      throw new HoldfastError(
        'UserErrorOperationDeniedOnImmutableItem',
        `Vault '${vault.name}' is immutable, and ${lost} of its recovery points are in the replica alone.`,
        { target: vault.name },
      );
    await deleteReplica(db, vault.vault_id);
    await estate.closeReplica(vault.vault_id);
    await scope.storePlaces.forget(row.store_path);
    workshop.log.info({ vault: vault.name, store: row.store_path }, 'the vault has no replica any more');
    return reply.code(204).send();
  });

  app.post(`${replicaPath}/verify`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { limitBytesPerSecond } = parseBody(verifyStoreRequest, request).properties ?? {};
    const options = { userTriggered: true, bytesPerSecond: limitBytesPerSecond };
    return started(request, reply, vault, await startReplicaVerification(workshop, vault, options));
  });

  app.post(`${replicaPath}/repair`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { execute = false } = parseBody(repairStoreRequest, request).properties ?? {};
    return started(
      request,
      reply,
      vault,
      await startRepair(workshop, vault, { dryRun: !execute, replica: true }),
    );
  });

  app.post(`${replicaPath}/sync`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const { properties } = parseBody(replicaSyncRequest, request);
    const { force = false } = properties;
    const jobId = await startReplication(workshop, vault, { userTriggered: true, force });
    return started(request, reply, vault, jobId);
  });

  async function started(
    request: FastifyRequest,
    reply: FastifyReply,
    vault: VaultRow,
    jobId: string,
  ): Promise<FastifyReply> {
    return accepted(request, reply, ids.replica(vault), await noteOperation(workshop, { jobId }));
  }
};
