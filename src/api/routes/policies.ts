import type { FastifyRequest } from 'fastify';
import {
  countItems,
  countItemsUnder,
  findPolicy,
  findSavedPolicy,
  listPolicies,
  type SavedPolicy,
  type VaultRow,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { previewEditOf, removePolicy, savePolicy, securityOf } from '../../jobs/index.ts';
import {
  type BackupPolicy,
  invalidPolicy,
  presentPolicy,
  previewPolicy,
  readPolicy,
} from '../../protection/index.ts';
import {
  type Policy,
  type PolicyEditPreview,
  type PolicyPreview,
  policyEditPreviewRequest,
  policyPreviewRequest,
  policyRequest,
} from '../client/index.ts';
import { backupManagementTypes, filterWord, parseFilter } from '../filter.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { pageOfAll } from '../protocol/paging.ts';
import {
  type ApiScope,
  accepted,
  param,
  parseBody,
  query,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';

export const policyPath = `${vaultPath}/backupPolicies/:policy`;

/** Days that a preview shows when it is not told. */
const previewedDays = 14;

function present(scope: ApiScope, vault: VaultRow, { policy, revision }: SavedPolicy, items: number): Policy {
  return {
    id: scope.ids.policy(vault, policy.name),
    name: policy.name,
    type: 'Microsoft.RecoveryServices/vaults/backupPolicies',
    eTag: `"${revision}"`,
    properties: { ...presentPolicy(policy), protectedItemsCount: items },
  };
}

/** The policy that the request names. @throws ResourceNotFound */
export async function presentPolicyAlone(
  scope: ApiScope,
  vault: VaultRow,
  request: FastifyRequest,
): Promise<Policy> {
  const { db } = scope.workshop;
  const name = param(request, 'policy');
  const saved = await findSavedPolicy(db, vault.vault_id, name);
  if (saved === undefined) throw noPolicy(vault, name);
  return present(scope, vault, saved, await countItemsUnder(db, vault.vault_id, saved.policy.name));
}

const noPolicy = (vault: VaultRow, name: string) =>
  new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no policy '${name}'.`, { target: name });

export const registerPolicies: RegisterRoutes = (app, scope) => {
  const { workshop, ids } = scope;
  const { db, clock } = workshop;

  app.get(`${vaultPath}/backupPolicies`, async (request) => {
    const vault = await vaultOf(db, request);
    const filter = parseFilter(query(request, '$filter'), [
      'backupManagementType',
      'fabricName',
      'workloadType',
    ]);
    const managed = filterWord(filter, 'backupManagementType', backupManagementTypes) ?? 'AzureIaasVM';
    if (managed !== 'AzureIaasVM') return { value: [] };
    const items = new Map<string | null, number>();
    for (const { policy_name: name, count } of await countItems(db, vault.vault_id))
      items.set(name, (items.get(name) ?? 0) + count);
    const saved = await listPolicies(db, vault.vault_id);
    return pageOfAll(
      request,
      saved.map((each) => present(scope, vault, each, items.get(each.policy.name) ?? 0)),
      ({ name }) => name,
    );
  });

  app.get(policyPath, async (request, reply) => {
    const policy = await presentPolicyAlone(scope, await vaultOf(db, request), request);
    if (policy.eTag !== undefined) reply.header('etag', policy.eTag);
    return policy;
  });

  app.put(policyPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const body = parseBody(policyRequest, request);
    const policy = policyFrom(param(request, 'policy'), body.properties);
    const revision = revisionOf(request.headers['if-match']) ?? revisionOf(body.eTag ?? undefined);
    const isNew = request.headers['if-none-match'] === '*';
    const { saved, jobId } = await savePolicy(workshop, vault, policy, securityOf(vault), {
      revision,
      isNew,
    });
    reply.header('etag', `"${saved.revision}"`);
    if (jobId === undefined)
      return present(scope, vault, saved, await countItemsUnder(db, vault.vault_id, saved.policy.name));
    const operationId = await noteOperation(workshop, { jobId, followsJob: true });
    const paths = { status: 'operations', result: 'operationResults' };
    return accepted(request, reply, ids.policy(vault, saved.policy.name), operationId, paths);
  });

  app.delete(policyPath, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const revision = revisionOf(request.headers['if-match']);
    const wasThere = await removePolicy(workshop, vault, param(request, 'policy'), { revision });
    return reply.code(wasThere ? 200 : 204).send();
  });

  app.post(`${vaultPath}/providers/Holdfast.Fleet/policyPreview`, async (request): Promise<PolicyPreview> => {
    const vault = await vaultOf(db, request);
    const { policyName, policyProperties, from, to, firstBackup } = parseBody(
      policyPreviewRequest,
      request,
    ).properties;
    const policy = await policyToPreview(vault, policyName, policyProperties);
    const start = from === undefined ? clock.now() : Temporal.Instant.from(from);
    const end = to === undefined ? start.add({ hours: 24 * previewedDays }) : Temporal.Instant.from(to);
    return {
      points: previewPolicy(policy, start, end, firstBackup === undefined ? {} : { firstBackup }).map(
        ({ run, toVault, tags, ruleName, expiresAt, snapshotUntil }) => ({
          time: run.at.toString(),
          date: run.date.toString(),
          inVault: toVault,
          tags,
          ...(ruleName !== undefined && { ruleName }),
          expiryTime: expiresAt.toString(),
          snapshotExpiryTime: snapshotUntil.toString(),
        }),
      ),
    };
  });

  app.post(
    `${vaultPath}/providers/Holdfast.Fleet/policyEditPreview`,
    async (request): Promise<PolicyEditPreview> => {
      const vault = await vaultOf(db, request);
      const { policyName, policyProperties } = parseBody(policyEditPreviewRequest, request).properties;
      const known = await findPolicy(db, vault.vault_id, policyName);
      if (known === undefined) throw noPolicy(vault, policyName);
      const after = policyFrom(known.name, policyProperties);
      const members = await previewEditOf(workshop, vault, known, after, securityOf(vault));
      return {
        members: members.map(({ item, ...member }) => ({
          vm: item.vm_name,
          itemId: ids.item(vault, item),
          ...member,
        })),
      };
    },
  );

  async function policyToPreview(
    vault: VaultRow,
    name: string | undefined,
    properties: unknown,
  ): Promise<BackupPolicy> {
    if (properties !== undefined) return policyFrom(name ?? 'Preview', properties);
    if (name === undefined)
      throw new HoldfastError('InvalidInput', 'There is nothing to preview.', {
        target: 'properties',
        action: 'Give policyName, or policyProperties.',
      });
    const known = await findPolicy(db, vault.vault_id, name);
    if (known === undefined) throw noPolicy(vault, name);
    return known;
  }
};

/** @throws BMSUserErrorInvalidPolicyInput naming everything that is wrong */
function policyFrom(name: string, properties: unknown): BackupPolicy {
  const read = readPolicy(name, properties);
  if ('problems' in read) throw invalidPolicy(name, read.problems);
  return read.policy;
}

/** The revision in an entity tag; undefined for none, and for `*`, which any will do for. */
function revisionOf(tag: string | undefined): string | undefined {
  if (tag === undefined || tag.trim() === '' || tag.trim() === '*') return undefined;
  return tag.trim().replace(/^(?:W\/)?"?(.*?)"?$/, '$1');
}
