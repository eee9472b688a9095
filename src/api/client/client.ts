import { z } from 'zod';
import { HoldfastError } from '../../errors/index.ts';
import { accessCalls } from './access-calls.ts';
import { apiVersion, type ItemAddress, paths, type VaultAddress } from './addresses.ts';
import { operationErrorOf } from './api-error.ts';
import { type JobFilter, jobFilter } from './job-filter.ts';
import { type Accepted, acceptedOf, pathOf } from './operations.ts';
import { pause, retryAfterOf } from './patience.ts';
import { type Answer, type Method, notUnderstood, type Send } from './send.ts';
import * as shapes from './shapes.ts';

export interface CallOptions {
  /** Where the service is, for what is said of it. */
  endpoint: string;
  /** Subscription of all paths. Default: the service's own, asked once. */
  subscriptionId?: string | undefined;
  /** Ends whatever is under way. */
  signal?: AbortSignal | undefined;
}

/** A list that needs more pages than this does not end. */
const maxPages = 10_000;

/** An operation only ends by starting, or finishing the setting up of, its job: it does not take longer. */
const maxOperationMs = 60 * 60 * 1000;

/**
 * The API as functions. Every answer is checked against its shape and handed on as it came, fields unknown to this
 * version included. Refusals throw `ApiError`, failures on the way `HoldfastError`.
 */
export function clientOver(send: Send, options: CallOptions) {
  let subscription: Promise<string> | undefined;

  const call = (method: Method, path: string, body?: unknown, query: Record<string, string> = {}) =>
    send(method, `${path}?${new URLSearchParams({ 'api-version': apiVersion, ...query })}`, body);

  const read = <T extends z.ZodType>(shape: T, answer: Answer): z.output<T> => {
    const checked = shape.safeParse(answer.body);
    if (checked.success) return answer.body as z.output<T>;
    throw notUnderstood(
      options.endpoint,
      z.prettifyError(checked.error).replaceAll('\n', ' '),
      checked.error,
    );
  };

  const get = async <T extends z.ZodType>(shape: T, path: string) => read(shape, await call('GET', path));

  async function* pages<T extends z.ZodType>(item: T, path: string, query: Record<string, string> = {}) {
    const shape = shapes.listOf(item);
    let page = read(shape, await call('GET', path, undefined, query));
    yield* page.value as z.output<T>[];
    for (let n = 1; page.nextLink !== undefined; n++) {
      if (n >= maxPages || !URL.canParse(page.nextLink))
        throw notUnderstood(options.endpoint, 'a list does not end');
      page = read(shape, await send('GET', pathOf(page.nextLink)));
      yield* page.value as z.output<T>[];
    }
  }
  const list = <T extends z.ZodType>(item: T, path: string, query?: Record<string, string>) =>
    Array.fromAsync(pages(item, path, query));

  /** One page, of the list or, with the `nextLink` of the page before, the next. */
  const page = async <T extends z.ZodType>(
    item: T,
    path: string,
    query: Record<string, string>,
    nextLink?: string,
  ) => {
    const answer = await (nextLink === undefined
      ? call('GET', path, undefined, query)
      : send('GET', pathOf(nextLink)));
    return read(shapes.listOf(item), answer);
  };

  const accept = async (method: Method, path: string, body?: unknown): Promise<Accepted> => {
    const accepted = acceptedOf(await call(method, path, body));
    if (accepted === undefined) throw notUnderstood(options.endpoint, 'no operation came back to follow');
    return accepted;
  };

  const service = () => get(shapes.service, paths.service);
  const subscriptionId = async () => {
    if (options.subscriptionId !== undefined) return options.subscriptionId;
    subscription ??= service().then((answer) => answer.subscriptionId);
    // A failure is not remembered: the service may be there on the next call.
    subscription.catch(() => {
      subscription = undefined;
    });
    return subscription;
  };

  /** Asks until `done` says so or the operation has ended. @throws {ApiError} if it ended badly */
  const follow = async (accepted: Accepted, done: (status: shapes.OperationStatus) => boolean) => {
    let waited = 0;
    for (;;) {
      const answer = await send('GET', accepted.statusPath);
      const status = read(shapes.operationStatus, answer);
      if (done(status)) return status;
      if (status.status === 'Failed' || status.status === 'Canceled')
        throw operationErrorOf(
          status.error ?? {
            code: `Operation${status.status}`,
            message: `Operation ${status.name} did not succeed.`,
          },
        );
      if (status.status === 'Succeeded') return status;
      // A floor, so that `Retry-After: 0` is no busy loop.
      const ms = Math.max(retryAfterOf(answer.headers) ?? accepted.retryAfterMs, 50);
      waited += ms;
      if (waited > maxOperationMs)
        throw new HoldfastError('WaitTimedOut', `Operation ${status.name} did not end within an hour.`);
      await pause(ms, options.signal);
    }
  };

  return {
    service,
    subscriptionId,
    subscriptions: () => list(shapes.subscription, paths.subscriptions),

    ...accessCalls({ call, read, get, pages, page, subscriptionId }),

    /** What the caller sees of all vaults. Lists come by the page, as they are scrolled. */
    estate: {
      overview: async () => get(shapes.overview, paths.fleet(await subscriptionId(), 'overview')),
      jobs: async (query: Record<string, string>, nextLink?: string) =>
        page(shapes.job, paths.fleet(await subscriptionId(), 'jobs'), query, nextLink),
      items: async (query: Record<string, string>, nextLink?: string) =>
        page(shapes.protectedItem, paths.fleet(await subscriptionId(), 'protectedItems'), query, nextLink),
      /** Address of the stream of changes. */
      events: async () => `${paths.fleet(await subscriptionId(), 'events')}?api-version=${apiVersion}`,
    },

    hosts: {
      list: async () => list(shapes.host, paths.hosts(await subscriptionId())),
      get: async (group: string, name: string) =>
        get(shapes.host, paths.host(await subscriptionId(), group, name)),
      put: async (group: string, name: string, body: shapes.HostRequest) =>
        read(shapes.host, await call('PUT', paths.host(await subscriptionId(), group, name), body)),
      delete: async (group: string, name: string): Promise<void> => {
        await call('DELETE', paths.host(await subscriptionId(), group, name));
      },
    },

    virtualMachines: {
      list: async () => list(shapes.virtualMachine, paths.virtualMachines(await subscriptionId())),
      /** With the obstacles to its protection. */
      get: async (group: string, name: string) =>
        get(shapes.virtualMachine, paths.virtualMachine(await subscriptionId(), group, name)),
      /** Puts the freeze hook into the guest, through its agent. */
      installHook: async (group: string, name: string) => {
        const at = paths.virtualMachine(await subscriptionId(), group, name);
        return read(shapes.hookInstallation, await call('POST', `${at}/installFreezeHook`));
      },
      freezeHook: async () => get(shapes.freezeHookScript, paths.freezeHook(await subscriptionId())),
    },

    vaults: {
      list: async () => list(shapes.vault, paths.vaults(await subscriptionId())),
      get: async (at: VaultAddress) => get(shapes.vault, paths.vault(await subscriptionId(), at)),
      put: async (at: VaultAddress, body: shapes.VaultRequest) =>
        read(shapes.vault, await call('PUT', paths.vault(await subscriptionId(), at), body)),
      /** Changes what is named; everything else stays. */
      update: async (at: VaultAddress, body: shapes.VaultUpdate) =>
        read(shapes.vault, await call('PATCH', paths.vault(await subscriptionId(), at), body)),
      /** Whether a vault may have a name: by its rules, and because no other has it. */
      checkName: async (group: string, location: string, name: string) =>
        read(
          shapes.nameAnswer,
          await call('POST', paths.vaultNameCheck(await subscriptionId(), group, location), {
            type: 'Microsoft.RecoveryServices/vaults',
            name,
          }),
        ),
      delete: async (at: VaultAddress): Promise<void> => {
        await call('DELETE', paths.vault(await subscriptionId(), at));
      },
    },

    /** The second store of a vault. */
    replica: {
      get: async (at: VaultAddress) => get(shapes.replica, paths.replica(await subscriptionId(), at)),
      /** Sets it up, or changes how it is kept. */
      put: async (at: VaultAddress, body: shapes.ReplicaRequest) =>
        read(shapes.replica, await call('PUT', paths.replica(await subscriptionId(), at), body)),
      /** Ends the replication; the store and what is in it stay. */
      delete: async (at: VaultAddress): Promise<void> => {
        await call('DELETE', paths.replica(await subscriptionId(), at));
      },
      /** Starts a Replicate job, or names the one that is under way. */
      sync: async (at: VaultAddress, body: shapes.ReplicaSyncRequest) =>
        accept('POST', `${paths.replica(await subscriptionId(), at)}/sync`, body),
      /** Starts a VerifyReplica job, or names the one that is under way. */
      verify: async (at: VaultAddress, body: shapes.VerifyStoreRequest) =>
        accept('POST', `${paths.replica(await subscriptionId(), at)}/verify`, body),
      /** Starts a RepairStore job of the replica. */
      repair: async (at: VaultAddress, body: shapes.RepairStoreRequest = {}) =>
        accept('POST', `${paths.replica(await subscriptionId(), at)}/repair`, body),
    },

    /** The stores of vaults. What these start are jobs of the vault. */
    stores: {
      get: async (at: VaultAddress) => get(shapes.store, paths.store(await subscriptionId(), at)),
      put: async (at: VaultAddress, body: shapes.StoreRequest) =>
        read(shapes.store, await call('PUT', paths.store(await subscriptionId(), at), body)),
      verify: async (at: VaultAddress, body: shapes.VerifyStoreRequest = {}) =>
        accept('POST', `${paths.store(await subscriptionId(), at)}/verify`, body),
      repair: async (at: VaultAddress, body: shapes.RepairStoreRequest = {}) =>
        accept('POST', `${paths.store(await subscriptionId(), at)}/repair`, body),
      collect: async (at: VaultAddress, body: shapes.CollectStoreRequest = {}) =>
        accept('POST', `${paths.store(await subscriptionId(), at)}/collect`, body),
    },

    vaultKeys: {
      list: async (at: VaultAddress) => list(shapes.vaultKey, paths.vaultKeys(await subscriptionId(), at)),
      /** The answer has the secret that was made, which nobody can ask for again. */
      add: async (at: VaultAddress, body: shapes.VaultKeyRequest) =>
        read(shapes.vaultKey, await call('POST', paths.vaultKeys(await subscriptionId(), at), body)),
      rename: async (at: VaultAddress, name: string, label: string) =>
        read(
          shapes.vaultKey,
          await call('PATCH', paths.vaultKey(await subscriptionId(), at, name), { properties: { label } }),
        ),
      delete: async (at: VaultAddress, name: string): Promise<void> => {
        await call('DELETE', paths.vaultKey(await subscriptionId(), at, name));
      },
      /** Opens a locked vault, and makes a new key file for the service; the answer is its key. */
      unlock: async (at: VaultAddress, body: shapes.VaultUnlockRequest) =>
        read(shapes.vaultKey, await call('POST', paths.vaultUnlock(await subscriptionId(), at), body)),
    },

    policies: {
      list: async (at: VaultAddress) => list(shapes.policy, paths.policies(await subscriptionId(), at)),
      get: async (at: VaultAddress, name: string) =>
        get(shapes.policy, paths.policy(await subscriptionId(), at, name)),
      /**
       * Creates it, or replaces the one of its name. `eTag` in the body says which one it was made from.
       * @returns the policy as saved, or the operation that brings it to the items under it
       */
      put: async (
        at: VaultAddress,
        name: string,
        body: shapes.PolicyRequest,
        { isNew = false }: { isNew?: boolean } = {},
      ) => {
        const headers = isNew ? { 'if-none-match': '*' } : undefined;
        const path = `${paths.policy(await subscriptionId(), at, name)}?api-version=${apiVersion}`;
        const answer = await send('PUT', path, body, headers);
        return acceptedOf(answer) ?? read(shapes.policy, answer);
      },
      delete: async (at: VaultAddress, name: string): Promise<void> => {
        await call('DELETE', paths.policy(await subscriptionId(), at, name));
      },
      preview: async (at: VaultAddress, properties: shapes.PolicyPreviewRequest['properties']) => {
        const path = `${paths.vault(await subscriptionId(), at)}/providers/Holdfast.Fleet/policyPreview`;
        return read(shapes.policyPreview, await call('POST', path, { properties }));
      },
      previewEdit: async (at: VaultAddress, properties: shapes.PolicyEditPreviewRequest['properties']) => {
        const path = `${paths.vault(await subscriptionId(), at)}/providers/Holdfast.Fleet/policyEditPreview`;
        return read(shapes.policyEditPreview, await call('POST', path, { properties }));
      },
      /** Resource id of a policy, as an item's `policyId` wants it. */
      id: async (at: VaultAddress, name: string) => paths.policy(await subscriptionId(), at, name),
    },

    items: {
      list: async (at: VaultAddress) => list(shapes.protectedItem, paths.items(await subscriptionId(), at)),
      get: async (at: ItemAddress) => get(shapes.protectedItem, paths.item(await subscriptionId(), at)),
      /** Protects, changes, stops or brings back; the operation names a ConfigureBackup, DisableBackup or Undelete job. */
      put: async (at: ItemAddress, body: shapes.ProtectedItemRequest) =>
        accept('PUT', paths.item(await subscriptionId(), at), body),
      /** Stops protection and soft-deletes the data; the operation names a DeleteBackupData job. */
      delete: async (at: ItemAddress) => accept('DELETE', paths.item(await subscriptionId(), at)),
      /** Removes the data of a soft-deleted item whose time is over; the operation names a Purge job. */
      purge: async (at: ItemAddress) =>
        accept('POST', `${paths.item(await subscriptionId(), at)}/providers/Holdfast.Fleet/purge`),
      /** Starts a Backup job. */
      backup: async (at: ItemAddress, body: shapes.BackupRequest) =>
        accept('POST', `${paths.item(await subscriptionId(), at)}/backup`, body),
    },

    /** The classic steps before protection: discover, register, and unregister. */
    machines: {
      /** Looks anew at what the hosts have; `protectable` then lists it. */
      discover: async (at: VaultAddress) =>
        accept('POST', `${paths.vault(await subscriptionId(), at)}/backupFabrics/Azure/refreshContainers`),
      /** VMs that could be protected in the vault. */
      protectable: async (at: VaultAddress) =>
        list(shapes.protectableItem, `${paths.vault(await subscriptionId(), at)}/backupProtectableItems`),
      /** Whether the VM could be protected in the vault, and what stands in the way; nothing is changed. */
      validate: async (
        location: string,
        { vaultId, resourceId }: { vaultId: string; resourceId: string },
      ) => {
        const at = paths.protectionCheck(await subscriptionId(), location);
        return read(
          shapes.preValidateAnswer,
          await call('POST', at, { resourceType: 'VM', resourceId, vaultId }),
        );
      },
      /** The operation names a Register job. */
      register: async (at: ItemAddress) => accept('PUT', paths.container(await subscriptionId(), at), {}),
      /** The operation names an UnRegister job. */
      unregister: async (at: ItemAddress) => accept('DELETE', paths.container(await subscriptionId(), at)),
    },

    recoveryPoints: {
      /** Without soft-deleted ones, unless they are asked for. */
      list: async (at: ItemAddress, { softDeleted = false }: { softDeleted?: boolean } = {}) =>
        list(
          shapes.recoveryPoint,
          paths.recoveryPoints(await subscriptionId(), at),
          softDeleted ? { $filter: "includeSoftDeletedRP eq 'True'" } : {},
        ),
      /** Keeps it until a later date. */
      extend: async (at: ItemAddress, name: string, expiryTime: string) =>
        read(
          shapes.recoveryPoint,
          await call('PATCH', paths.recoveryPoint(await subscriptionId(), at, name), {
            properties: { expiryTime },
          }),
        ),
      /** Soft-deletes it. */
      delete: async (at: ItemAddress, name: string) =>
        read(
          shapes.recoveryPoint,
          await call('DELETE', paths.recoveryPoint(await subscriptionId(), at, name)),
        ),
      undelete: async (at: ItemAddress, name: string) => {
        const path = `${paths.recoveryPoint(await subscriptionId(), at, name)}/providers/Holdfast.Fleet/undelete`;
        return read(shapes.recoveryPoint, await call('POST', path));
      },
      get: async (at: ItemAddress, name: string) =>
        get(shapes.recoveryPoint, paths.recoveryPoint(await subscriptionId(), at, name)),
      /** What stands in the way of a restore; nothing is started. `recoveryPointId` is the whole resource id. */
      validateRestore: async (at: VaultAddress, restoreRequest: shapes.RestoreRequest['properties']) => {
        const path = `${paths.vault(await subscriptionId(), at)}/backupValidateOperation`;
        const body = { objectType: 'ValidateIaasVMRestoreOperationRequest', restoreRequest };
        return read(shapes.validateRestoreResult, await call('POST', path, body)).validateOperationResponse;
      },
      /** Starts a Restore job. */
      restore: async (at: ItemAddress, name: string, body: shapes.RestoreRequest) =>
        accept('POST', `${paths.recoveryPoint(await subscriptionId(), at, name)}/restore`, body),
    },

    jobs: {
      /** Newest first, as the service orders them; no more than `limit`. */
      list: async (at: VaultAddress, filter: JobFilter = {}, limit = Number.POSITIVE_INFINITY) => {
        const text = jobFilter(filter);
        const query: Record<string, string> = text === '' ? {} : { $filter: text };
        const found: shapes.Job[] = [];
        if (limit <= 0) return found;
        for await (const job of pages(shapes.job, paths.jobs(await subscriptionId(), at), query)) {
          found.push(job);
          if (found.length >= limit) break;
        }
        return found;
      },
      /** All of them, newest first, page by page. */
      each: async function* (at: VaultAddress, filter: JobFilter = {}) {
        const text = jobFilter(filter);
        const query: Record<string, string> = { $top: '1000', ...(text === '' ? {} : { $filter: text }) };
        yield* pages(shapes.job, paths.jobs(await subscriptionId(), at), query);
      },
      /** With its tasks and their figures. */
      get: async (at: VaultAddress, name: string) =>
        get(shapes.job, paths.job(await subscriptionId(), at, name)),
      /** Asks the job to end; what it had not finished is undone. */
      cancel: async (at: VaultAddress, name: string): Promise<void> => {
        await call('POST', `${paths.job(await subscriptionId(), at, name)}/cancel`);
      },
    },

    alerts: {
      /** Newest first; with `all` also those that are over or dismissed. */
      list: async ({ all = false }: { all?: boolean } = {}) =>
        list(
          shapes.alert,
          `/subscriptions/${await subscriptionId()}/providers/Holdfast.Fleet/alerts`,
          all ? { $filter: "state eq 'All'" } : {},
        ),
      /** @param id resource id of the alert */
      dismiss: async (id: string) =>
        read(shapes.alert, await call('POST', `${id.split('/').map(encodeURIComponent).join('/')}/dismiss`)),
    },

    operations: {
      /** The end of an operation. @throws {ApiError} if it failed or was cancelled */
      wait: (accepted: Accepted) => follow(accepted, () => false),
      /**
       * The job that an operation started, as soon as it is known; how it went is the job's to tell.
       * @throws {ApiError} if the operation failed before there was one
       */
      jobOf: async (accepted: Accepted): Promise<string> => {
        const status = await follow(accepted, (now) => now.properties?.jobId !== undefined);
        if (status.properties?.jobId !== undefined) return status.properties.jobId;
        throw notUnderstood(options.endpoint, 'the operation names no job');
      },
    },
  };
}

export type HoldfastClient = ReturnType<typeof clientOver>;
