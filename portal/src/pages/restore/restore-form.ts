import type { RecoveryPoint, RestoreRequest } from '../../../../src/api/client/browser.ts';

export const restoreKinds = [
  ['machine', 'Create new: a virtual machine', 'Beside the source, which stays as it is.'],
  ['disks', 'Create new: disks', 'Image files in a directory of the host.'],
  [
    'original',
    'Replace existing',
    'The disks of the VM itself, which has to be off. What they have now stays as a recovery point.',
  ],
] as const;
export type RestoreKind = (typeof restoreKinds)[number][0];

/** What the wizard asks for. Answers to what the chosen kind does not ask are kept, and not sent. */
export interface RestoreForm {
  kind: RestoreKind;
  /** Of the new VM. */
  name: string;
  /** On the host, for new images. */
  directory: string;
  /** Targets that are not restored. */
  leftOut: readonly string[];
  tier: '' | 'snapshot' | 'vault';
  diskFormat: '' | 'raw' | 'qcow2';
  connectNetwork: boolean;
  start: boolean;
  live: boolean;
  allowDamaged: boolean;
  /** Name of the VM whose disks are replaced, typed. */
  confirm: string;
}

export const emptyForm: RestoreForm = {
  kind: 'machine',
  name: '',
  directory: '',
  leftOut: [],
  tier: '',
  diskFormat: '',
  connectNetwork: false,
  start: false,
  live: false,
  allowDamaged: false,
  confirm: '',
};

/** Targets of the point's disks that the form asks for: a new VM has them all. */
export function disksOf({ kind, leftOut }: RestoreForm, point: RecoveryPoint): string[] {
  const all = point.properties.holdfast.disks.map(({ target }) => target);
  return kind === 'machine' ? all : all.filter((target) => !leftOut.includes(target));
}

/** What is still to be filled in, by field; whether it can be done is for the service to say. */
export function missingIn(
  form: RestoreForm,
  point: RecoveryPoint,
  vm: string,
): Partial<Record<'name' | 'directory' | 'disks' | 'confirm', string>> {
  const { kind, name, directory, confirm } = form;
  return {
    ...(kind === 'machine' && name.trim() === '' && { name: 'Name the new virtual machine.' }),
    ...(kind !== 'original' &&
      !directory.startsWith('/') && { directory: 'Give an absolute directory of the host.' }),
    ...(disksOf(form, point).length === 0 && { disks: 'Choose at least one disk.' }),
    ...(kind === 'original' &&
      confirm.toLowerCase() !== vm.toLowerCase() && {
        confirm: `Type ${vm}: its disks are replaced.`,
      }),
  };
}

/**
 * The request that the form stands for.
 * @param point with its whole resource id
 * @param sourceResourceId the VM that the item protects
 */
export function requestOf(
  form: RestoreForm,
  point: RecoveryPoint,
  sourceResourceId: string,
): RestoreRequest['properties'] {
  const { kind, live, start, tier, diskFormat, connectNetwork, allowDamaged } = form;
  const disks = disksOf(form, point);
  const isNew = kind !== 'original';
  const runsLive = kind === 'machine' && live;
  return {
    objectType: 'IaasVMRestoreRequest',
    recoveryType: (
      { machine: 'AlternateLocation', disks: 'RestoreDisks', original: 'OriginalLocation' } as const
    )[kind],
    recoveryPointId: point.id,
    sourceResourceId,
    ...(isNew && { storageAccountId: form.directory }),
    ...(kind === 'machine' && { targetVirtualMachineId: form.name.trim() }),
    holdfast: {
      ...(disks.length < point.properties.holdfast.disks.length && { disks }),
      // A live restore reads the vault, makes qcow2 images and leaves nothing out; the service says so of anything else.
      ...(tier !== '' && !runsLive && { tier }),
      ...(isNew && !runsLive && diskFormat !== '' && { diskFormat }),
      ...(isNew && !runsLive && allowDamaged && { allowDamaged }),
      ...(kind === 'machine' && { connectNetwork, ...(runsLive && { live }) }),
      ...(kind !== 'disks' && { start: start || runsLive }),
    },
  };
}
