import type { FastifyRequest } from 'fastify';
import { findItemOfName, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { checkRestore } from '../../jobs/index.ts';
import { type ValidateRestoreAnswer, validateRestoreRequest } from '../client/index.ts';
import { noteOperation } from '../protocol/operation-registry.ts';
import { machineOfItemName } from '../resource-ids.ts';
import { restoreOptionsOf } from '../restore-target.ts';
import {
  accepted,
  mayRestoreAnywhere,
  parseBody,
  type RegisterRoutes,
  vaultOf,
  vaultPath,
} from '../scope.ts';
import { pointOf } from './recovery-points.ts';

const pointId = /\/protectedItems\/([^/]+)\/recoveryPoints\/([^/]+)$/i;

/** Says what stands in the way of a restore, without starting it. */
export const registerValidateRestore: RegisterRoutes = (app, scope) => {
  const { workshop } = scope;
  const { db } = workshop;

  /** The recovery point that an id means, in this vault. @throws InvalidInput, ResourceNotFound */
  async function find(vault: VaultRow, id: string) {
    const [, itemName = '', point = ''] = pointId.exec(id) ?? [];
    const vm = machineOfItemName(itemName);
    const inVault = id.toLowerCase().startsWith(`${scope.ids.vault(vault).toLowerCase()}/`);
    if (vm === undefined || !inVault) {
      throw new HoldfastError('InvalidInput', `'${id}' is no recovery point of vault '${vault.name}'.`, {
        target: 'recoveryPointId',
        action: 'Give the whole resource id of the recovery point.',
      });
    }
    const item = await findItemOfName(db, vault.vault_id, vm.resourceGroup, vm.machine);
    if (item === undefined) {
      throw new HoldfastError(
        'ResourceNotFound',
        `VM '${vm.machine}' is not protected in vault '${vault.name}'.`,
        {
          target: vm.machine,
        },
      );
    }
    return { vault, item, point: await pointOf(db, item, point) };
  }

  async function validate(request: FastifyRequest, vault: VaultRow): Promise<ValidateRestoreAnswer> {
    const body = parseBody(validateRestoreRequest, request);
    const asked = 'properties' in body ? body.properties : body;
    const resourceId = 'properties' in body ? body.id : undefined;
    const found = await find(vault, resourceId ?? asked.restoreRequest.recoveryPointId ?? '');
    try {
      const options = await restoreOptionsOf(scope, found, asked.restoreRequest, mayRestoreAnywhere(request));
      await checkRestore(workshop, found.item, found.point, options);
      return { validationResults: [] };
    } catch (error) {
      if (!isHoldfastError(error) || error.status >= 500) throw error;
      const { code, message, action } = error;
      return { validationResults: [{ code, message, recommendations: [action] }] };
    }
  }

  app.post(`${vaultPath}/backupValidateOperation`, async (request) => ({
    validateOperationResponse: await validate(request, await vaultOf(db, request)),
  }));

  app.post(`${vaultPath}/backupTriggerValidateOperation`, async (request, reply) => {
    const vault = await vaultOf(db, request);
    const operationId = await noteOperation(workshop, {
      vaultId: vault.vault_id,
      result: {
        objectType: 'OperationStatusValidateOperationExtendedInfo',
        validateOperationResponse: await validate(request, vault),
      },
    });
    return accepted(request, reply, scope.ids.vault(vault), operationId, {
      status: 'backupValidateOperationsStatuses',
      result: 'backupValidateOperationResults',
    });
  });
};
