import type { FastifyRequest } from 'fastify';
import { findVault, getVault, type ItemRow, listItemsOfName, type VaultRow } from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { vaultNameProblem } from '../../protection/index.ts';
import {
  type BackupStatus,
  backupStatusRequest,
  type FeatureAnswer,
  featureRequest,
  type NameAnswer,
  nameRequest,
  type PreValidateAnswer,
  preValidateRequest,
} from '../client/index.ts';
import { containerName, machineOfResourceId } from '../resource-ids.ts';
import { groupPath, param, parseBody, type RegisterRoutes, subscriptionPath } from '../scope.ts';

const provider = '/providers/Microsoft.RecoveryServices/locations/:location';

interface Machine {
  resourceGroup: string;
  machine: string;
}

/** @throws BMSUserErrorInvalidSourceResourceId, OperationNotSupported for what is no VM */
function machineOf({ resourceType, resourceId }: { resourceType: string; resourceId: string }): Machine {
  if (!/^(VM|Microsoft\.Compute\/virtualMachines)$/i.test(resourceType)) {
    throw new HoldfastError(
      'OperationNotSupported',
      `Resources of the type '${resourceType}' are not backed up here.`,
      {
        target: 'resourceType',
        action: 'Ask for the resource type VM.',
      },
    );
  }
  const vm = machineOfResourceId(resourceId);
  if (vm !== undefined) return vm;
  throw new HoldfastError(
    'BMSUserErrorInvalidSourceResourceId',
    `'${resourceId}' names no virtual machine.`,
    {
      target: 'resourceId',
    },
  );
}

const names = ({ resourceGroup, machine }: Machine) => {
  const name = containerName({ host_resource_group: resourceGroup, vm_name: machine });
  return { containerName: `IaasVMContainer;${name}`, protectedItemName: `VM;${name}` };
};

/** Questions about a VM before it is protected: whether it is already, and whether it could be. Nothing is changed. */
export const registerLocations: RegisterRoutes = (app, scope) => {
  const { db, estate } = scope.workshop;

  /** The item of the VM in any vault. */
  const itemOf = async (vm: Machine): Promise<{ item: ItemRow; vault: VaultRow } | undefined> => {
    const [item] = await listItemsOfName(db, vm.resourceGroup, vm.machine);
    return item && { item, vault: await getVault(db, item.vault_id) };
  };

  app.post(`${subscriptionPath}${provider}/backupStatus`, async (request): Promise<BackupStatus> => {
    const known = await itemOf(machineOf(parseBody(backupStatusRequest, request)));
    const base = { fabricName: 'Azure', errorCode: 'Success', errorMessage: '' } as const;
    const caller = request.caller;
    const vaultId = known && scope.ids.vault(known.vault);
    // A vault that the caller may not see is not told of.
    if (known === undefined || vaultId === undefined || caller?.grants.sees(vaultId) !== true)
      return {
        ...base,
        protectionStatus: 'NotProtected',
        registrationStatus: 'NotRegistered',
        protectedItemsCount: 0,
      };
    const { item } = known;
    return {
      ...base,
      protectionStatus: 'Protected',
      vaultId,
      ...names({ resourceGroup: item.host_resource_group, machine: item.vm_name }),
      ...(item.policy_name === null ? {} : { policyName: item.policy_name }),
      registrationStatus: 'Registered',
      protectedItemsCount: 1,
    };
  });

  app.post(
    `${subscriptionPath}${provider}/backupPreValidateProtection`,
    async (request): Promise<PreValidateAnswer> => {
      const body = parseBody(preValidateRequest, request);
      const vm = machineOf(body);
      try {
        await refuseProtection(vm, body.vaultId, param(request, 'location'));
        return { status: 'Succeeded', ...names(vm) };
      } catch (error) {
        if (!isHoldfastError(error) || error.status >= 500) throw error;
        return {
          status: 'Failed',
          // Azure's own word, which its clients look for.
          errorCode:
            error.code === 'UserErrorVmAlreadyProtected' ? 'VirtualMachineAlreadyProtected' : error.code,
          errorMessage: error.message,
          recommendation: error.action,
          ...names(vm),
        };
      }
    },
  );

  /** @throws the code of the first thing that stands in the way of protecting the VM in the vault */
  async function refuseProtection(vm: Machine, vaultId: string | undefined, region: string): Promise<void> {
    const known = await itemOf(vm);
    const wanted = vaultId?.toLowerCase();
    if (
      known !== undefined &&
      wanted !== undefined &&
      scope.ids.vault(known.vault).toLowerCase() !== wanted
    ) {
      throw new HoldfastError(
        'UserErrorVmAlreadyProtected',
        `VM '${vm.machine}' is in another vault already.`,
        {
          target: vm.machine,
        },
      );
    }
    const { host, machine } = await estate.findMachine(vm.resourceGroup, vm.machine);
    if (host.location.toLowerCase() !== region.replaceAll(' ', '').toLowerCase()) {
      throw new HoldfastError(
        'UserErrorVaultAndVmInDifferentRegions',
        `VM '${machine.name}' is in region '${host.location}', not in '${region}'.`,
        { target: machine.name },
      );
    }
    const opened = await estate.host(host.name);
    const [obstacle] = await opened.findObstacles(machine.uuid, []);
    if (obstacle !== undefined)
      throw new HoldfastError(obstacle.code, obstacle.message, {
        target: machine.name,
        action: obstacle.action,
      });
  }

  app.post(
    `${subscriptionPath}${provider}/backupValidateFeatures`,
    async (request): Promise<FeatureAnswer> => {
      const { featureType } = parseBody(featureRequest, request);
      // A VM of any size can be backed up; other kinds of things can not.
      return { supportStatus: /^AzureVMResourceBackup$/i.test(featureType) ? 'Supported' : 'NotSupported' };
    },
  );

  app.post(`${groupPath}${provider}/checkNameAvailability`, async (request): Promise<NameAnswer> => {
    const { type, name } = parseBody(nameRequest, request);
    if (!/^Microsoft\.RecoveryServices\/vaults$/i.test(type)) {
      throw new HoldfastError('InvalidInput', `Names of the type '${type}' are not checked here.`, {
        target: 'type',
        action: 'Ask for the type Microsoft.RecoveryServices/Vaults.',
      });
    }
    const problem = vaultNameProblem(name);
    if (problem !== undefined) return { nameAvailable: false, reason: 'Invalid', message: problem };
    if ((await findVault(db, param(request, 'group'), name)) === undefined) return { nameAvailable: true };
    return { nameAvailable: false, reason: 'AlreadyExists', message: `There is a vault '${name}' already.` };
  });

  // A vault holds nothing when it is deleted, so that there is nothing of it to bring back.
  const deletedVaults = `${subscriptionPath}${provider}/deletedVaults`;
  const noDeletedVault = (request: FastifyRequest) => {
    const name = param(request, 'vault');
    throw new HoldfastError('ResourceNotFound', `There is no deleted vault '${name}'.`, { target: name });
  };
  app.get(deletedVaults, async () => ({ value: [] }));
  app.get(`${deletedVaults}/:vault`, async (request) => noDeletedVault(request));
  app.post(`${deletedVaults}/:vault/undelete`, async (request) => noDeletedVault(request));
};
