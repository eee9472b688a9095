import { getUpkeep, saveUpkeep, type VaultRow } from '../../catalog/index.ts';
import { messageOf } from '../../errors/index.ts';
import {
  defaultVerifyEveryDays,
  startCollection,
  startRepair,
  startVerification,
  type VerificationSummary,
} from '../../jobs/index.ts';
import {
  collectStoreRequest,
  repairStoreRequest,
  type Store,
  storeRequest,
  verifyStoreRequest,
} from '../client/index.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { type ApiScope, accepted, parseBody, type RegisterRoutes, storePath, vaultOf } from '../scope.ts';
import { presentStats, ratio } from '../store-figures.ts';

/** The store of a vault: Azure has no word for it, so it is a resource of our own, named as its vault. */
async function present(scope: ApiScope, row: VaultRow): Promise<Store> {
  const upkeep = await getUpkeep(scope.workshop.db, row.vault_id);
  const last =
    upkeep.verification_json === null
      ? undefined
      : (JSON.parse(upkeep.verification_json) as VerificationSummary);
  return {
    id: scope.ids.store(row),
    name: row.name,
    type: 'Holdfast.Fleet/stores',
    location: row.location,
    properties: {
      vaultId: scope.ids.vault(row),
      storeId: row.store_id,
      storePath: row.store_path,
      ...(await figuresOf(scope, row, last)),
      verifyEveryDays: upkeep.verify_every_days ?? defaultVerifyEveryDays,
      ...(upkeep.verify_cursor_json === null || upkeep.verify_started_at === null
        ? {}
        : { unfinishedVerificationSince: upkeep.verify_started_at }),
      ...(last === undefined ? {} : { lastVerification: last }),
      ...(upkeep.collected_at === null ? {} : { lastCollectedAt: upkeep.collected_at }),
    },
  };
}

/** Without its store the rest is still known. */
async function figuresOf(scope: ApiScope, row: VaultRow, last: VerificationSummary | undefined) {
  try {
    const stats = await (await scope.workshop.estate.store(row)).stats();
    return {
      status: 'Ready' as const,
      ...presentStats(stats),
      ...(last === undefined || stats.uniqueBytes === 0
        ? {}
        : { deduplicationRatio: ratio(last.referencedBytes, stats.uniqueBytes) }),
    };
  } catch (error) {
    return { status: 'Unavailable' as const, statusMessage: messageOf(error) };
  }
}

export const registerStores: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db } = workshop;

  app.get(storePath, async (request) => present(scope, await vaultOf(db, request)));

  app.put(storePath, async (request) => {
    const vault = await vaultOf(db, request);
    const { verifyEveryDays } = parseBody(storeRequest, request).properties;
    await saveUpkeep(db, vault.vault_id, { verify_every_days: verifyEveryDays });
    return present(scope, vault);
  });

  const actions = {
    verify: (vault: VaultRow, body: unknown) => {
      const { limitBytesPerSecond } = parseBody(verifyStoreRequest, { body }).properties ?? {};
      return startVerification(workshop, vault, {
        userTriggered: true,
        bytesPerSecond: limitBytesPerSecond,
      });
    },
    repair: (vault: VaultRow, body: unknown) => {
      const { execute = false } = parseBody(repairStoreRequest, { body }).properties ?? {};
      return startRepair(workshop, vault, { dryRun: !execute });
    },
    collect: (vault: VaultRow, body: unknown) => {
      const { dryRun = false, force = false } = parseBody(collectStoreRequest, { body }).properties ?? {};
      return startCollection(workshop, vault, { dryRun, force });
    },
  };
  for (const [action, start] of Object.entries(actions)) {
    app.post(`${storePath}/${action}`, async (request, reply) => {
      const vault = await vaultOf(db, request);
      const operationId = await noteOperation(workshop, { jobId: await start(vault, request.body) });
      return accepted(request, reply, ids.store(vault), operationId);
    });
  }
};
