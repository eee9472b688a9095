import type { HTTPMethods } from 'fastify';
import { HoldfastError } from '../../errors/index.ts';
import {
  containerPath,
  fabricPath,
  groupPath,
  itemPath,
  type RegisterRoutes,
  subscriptionPath,
  vaultPath,
} from '../scope.ts';

const compute = `${groupPath}/providers/Microsoft.Compute`;
const machinePath = `${compute}/virtualMachines/:machine`;
const collectionPath = `${compute}/restorePointCollections/:collection`;

/** What Azure's clients can ask for and is not offered, and what to do instead. */
export const refusedRoutes: readonly (readonly [
  methods: readonly HTTPMethods[],
  path: string,
  why: string,
  action: string,
])[] = [
  [
    ['POST'],
    `${itemPath}/recoveryPoints/:point/provisionInstantItemRecovery`,
    'Mounting a recovery point to take files out of it is not offered yet.',
    'Restore the disks, or a VM beside the source, and take the files from there.',
  ],
  [
    ['POST'],
    `${itemPath}/recoveryPoints/:point/revokeInstantItemRecovery`,
    'Mounting a recovery point is not offered yet, so that none is mounted.',
    'Nothing is left to do.',
  ],
  [
    ['POST'],
    `${itemPath}/recoveryPoints/:point/move`,
    'There is no archive tier.',
    'Set up a replica of the vault on cheaper storage: holdfast vault replica set.',
  ],
  [
    ['POST'],
    `${itemPath}/recoveryPointsRecommendedForMove`,
    'There is no archive tier.',
    'Set up a replica of the vault on cheaper storage: holdfast vault replica set.',
  ],
  [
    ['PUT'],
    `${vaultPath}/backupEncryptionConfigs/backupResourceEncryptionConfig`,
    'There is no key vault: the keys of a vault are its own.',
    'Use the keys of the vault: holdfast vault key list.',
  ],
  [
    ['POST'],
    `${vaultPath}/backupSecurityPIN`,
    'Security PINs are for agents inside machines, which are not used.',
    'Nothing needs one.',
  ],
  [
    ['GET', 'PUT', 'PATCH'],
    `${vaultPath}/extendedInformation/vaultExtendedInfo`,
    'Extended information of a vault is for agents inside machines, which are not used.',
    'Nothing needs it.',
  ],
  [
    ['PUT'],
    `${vaultPath}/certificates/:certificate`,
    'Certificates of a vault are for agents inside machines, which are not used.',
    'Nothing needs one.',
  ],
  [
    ['DELETE'],
    `${vaultPath}/registeredIdentities/:identity`,
    'There are no agents inside machines.',
    'Nothing needs it.',
  ],
  [
    ['GET', 'PUT', 'DELETE'],
    `${vaultPath}/backupResourceGuardProxies/:proxy`,
    'There are no resource guards.',
    'Give the role that deletes to few people: holdfast role.',
  ],
  [
    ['POST'],
    `${vaultPath}/backupResourceGuardProxies/:proxy/unlockDelete`,
    'There are no resource guards.',
    'Nothing is locked by one.',
  ],
  [
    ['GET', 'PUT', 'DELETE'],
    `${vaultPath}/privateEndpointConnections/:connection`,
    'There are no private endpoints.',
    'Choose the address that the service listens on: holdfast serve --listen.',
  ],
  [
    ['POST'],
    `${vaultPath}/backupTieringCost/default/fetchTieringCost`,
    'There is no archive tier and nothing is billed.',
    'See what a vault stores: holdfast store stats.',
  ],
  [
    ['POST'],
    `${vaultPath}/backupstorageconfig/vaultstorageconfig/:move`,
    'The data of a vault is not moved to another vault.',
    'Set up a replica of the vault where the data is wanted: holdfast vault replica set.',
  ],
  [
    ['GET', 'PUT', 'DELETE'],
    `${fabricPath}/backupProtectionIntent/:intent`,
    'Protection is not intended for a VM that is not there yet.',
    'Enable protection when the VM is there.',
  ],
  [
    ['GET'],
    `${vaultPath}/backupEngines/:engine`,
    'There are no backup engines.',
    'Virtual machines are backed up by the service itself.',
  ],
  [
    ['POST'],
    `${containerPath}/inquire`,
    'A VM has no workloads inside that could be asked for.',
    'Protect the whole VM.',
  ],
  [
    ['POST'],
    `${subscriptionPath}/providers/Microsoft.RecoveryServices/locations/:location/capabilities`,
    'Capabilities are not listed here.',
    'See docs/azure-compatibility.md.',
  ],
  [
    ['PUT', 'PATCH', 'DELETE'],
    machinePath,
    'Virtual machines are not made, changed or deleted here.',
    'Use virsh or virt-manager on the host, or restore a recovery point as a new VM.',
  ],
  ...[
    'reapply',
    'redeploy',
    'reimage',
    'generalize',
    'capture',
    'runCommand',
    'performMaintenance',
    'simulateEviction',
    'assessPatches',
    'installPatches',
    'convertToManagedDisks',
    'attachDetachDataDisks',
    'retrieveBootDiagnosticsData',
  ].map(
    (action) =>
      [
        ['POST'],
        `${machinePath}/${action}`,
        `The action ${action} on virtual machines is not offered.`,
        'Use virsh or virt-manager on the host.',
      ] as const,
  ),
  [
    ['PUT', 'PATCH', 'DELETE'],
    collectionPath,
    'Restore points are made and expired by the policies of protected VMs.',
    'Back the VM up, or edit its policy.',
  ],
  [
    ['PUT', 'DELETE'],
    `${collectionPath}/restorePoints/:point`,
    'Restore points are made and expired by the policies of protected VMs.',
    'Back the VM up, or edit its policy.',
  ],
  [
    ['POST'],
    `${groupPath}/exportTemplate`,
    'Templates are not exported.',
    'List what is in the group instead.',
  ],
  [
    ['POST'],
    `${groupPath}/moveResources`,
    'Resources are not moved between groups.',
    'Make them anew in the other group.',
  ],
];

export const registerRefusals: RegisterRoutes = (app) => {
  for (const [methods, path, why, action] of refusedRoutes) {
    for (const method of methods) {
      app.route({
        method,
        url: path,
        exposeHeadRoute: false,
        handler: async (request) => {
          throw new HoldfastError('OperationNotSupported', why, {
            target: request.url.split('?')[0] ?? '',
            action,
          });
        },
      });
    }
  }
};
