import { randomUUID } from 'node:crypto';
import {
  type Database,
  findItemOfName,
  findSavedPolicy,
  getItem,
  type ItemRow,
  insertItem,
  isStillPolicy,
  listItemsOfVm,
  type VaultRow,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import {
  activeState,
  type ItemFacts,
  type Judgement,
  judgeEnabling,
  judgeItemAction,
  type Refusal,
  refusalError,
  type VmFacts,
} from '../protection/index.ts';
import { bindToMachine, refuseUnlessGone } from './bind-item.ts';
import { changedMeanwhile, changeWithJob, type ItemPayload } from './change-item.ts';
import { catalogTime } from './clock.ts';
import { knownElsewhere, refuseRegisteredElsewhere, refuseThroughOtherHost } from './elsewhere.ts';
import type { FoundMachine } from './estate.ts';
import { factsOf } from './item-facts.ts';
import { planNextBackup } from './next-backup.ts';
import { putUnderPolicy, underPolicy } from './policies.ts';
import { securityOf } from './vault-security.ts';
import { vmFactsOf } from './vm-facts.ts';
import type { Workshop } from './workshop.ts';

export interface ConfigurePayload extends ItemPayload {
  policyName: string;
  /** From a Standard to an Enhanced policy: Azure shows that as a kind of its own. */
  migrates: boolean;
}

export interface WantedProtection {
  policyName: string;
  /** Targets of the disks to leave out; undefined: as before. */
  excludedDisks?: readonly string[] | undefined;
}

/**
 * Puts a VM under protection, gives it another policy, leaves out other disks, or resumes its protection, whichever its
 * state asks for. Refused before anything is touched when that can't be.
 * @returns the item and the id of the ConfigureBackup job
 * @throws ResourceNotFound, UserErrorVaultAndVmInDifferentRegions, UserErrorVmAlreadyProtected, UserErrorItemSoftDeleted,
 *   UserErrorProtectedVmStillExists, BMSUserErrorConflictingProtectionOperation, what speaks against the policy, or the
 *   code of the first obstacle
 */
export async function configureProtection(
  workshop: Workshop,
  vault: VaultRow,
  found: FoundMachine,
  { policyName, excludedDisks }: WantedProtection,
): Promise<{ item: ItemRow; jobId: string }> {
  const { db, clock } = workshop;
  const saved = await findSavedPolicy(db, vault.vault_id, policyName);
  if (saved === undefined)
    throw new HoldfastError('ResourceNotFound', `Vault '${vault.name}' has no policy '${policyName}'.`, {
      target: policyName,
    });
  const { policy } = saved;
  // An edit that comes in between would not find this item among those under the policy.
  const refuseEdited = async (tx: Database) => {
    if (!(await isStillPolicy(tx, vault.vault_id, saved))) throw policyChanged(policy.name);
  };
  const { known, replaces } = await findItem(workshop, vault, found);
  await refuseRegisteredElsewhere(db, vault, found);
  await refuseThroughOtherHost(workshop, found);
  const excluded = excludedDisks ?? (known ? (JSON.parse(known.excluded_disks_json) as string[]) : []);
  const vm = vmFactsOf(found, excluded);
  const facts = known === undefined ? factsOfNew(vm) : await factsOf(db, known, vm);
  const isActive = facts.state === 'IRPending' || facts.state === 'Protected';
  const security = securityOf(vault);
  const now = clock.now();
  const judgements: Judgement[] = [
    judgeEnabling(
      vm,
      { name: vault.name, region: vault.location },
      policy,
      await knownElsewhere(workshop, vault, found),
    ),
    ...(known === undefined
      ? []
      : [judgeItemAction(facts, { kind: isActive ? 'changePolicy' : 'resume', policy }, security, now)]),
    ...(excludedDisks === undefined || facts.state === 'SoftDeleted'
      ? []
      : [
          // With the protection resumed, if it is to be.
          judgeItemAction(
            { ...facts, state: 'IRPending', running: [] },
            { kind: 'excludeDisks', disks: excludedDisks },
            security,
            now,
          ),
        ]),
  ];
  refuseWith(judgements, vm.name);
  await refuseObstacles(workshop, found, excluded);
  if (replaces) await bindToMachine(workshop, known, found);
  const change = {
    excluded_disks_json: JSON.stringify(excluded),
    vm_name: vm.name,
  };
  const payload: ConfigurePayload = {
    itemId: known?.item_id ?? randomUUID(),
    policyName: policy.name,
    migrates: facts.policy !== undefined && facts.policy.policyType !== policy.policyType,
  };
  if (known === undefined) {
    const settings = { ...change, ...underPolicy(policy, now) };
    const jobId = await enable(workshop, vault, found, settings, payload, refuseEdited);
    return { item: await getItem(db, payload.itemId), jobId };
  }
  const jobId = await changeWithJob(
    workshop,
    known,
    'ConfigureBackup',
    { ...change, state: isActive ? known.state : activeState(facts) },
    payload,
    {
      async alongside(tx) {
        await refuseEdited(tx);
        await putUnderPolicy(tx, known, policy, now, { resumed: !isActive });
      },
    },
  );
  return { item: await getItem(db, known.item_id), jobId };
}

/** What a new item is to the rules. */
const factsOfNew = (vm: VmFacts): ItemFacts => ({
  name: vm.name,
  state: 'IRPending',
  policy: undefined,
  vm,
  hasVaultPoint: false,
  points: 0,
  lastExpiry: undefined,
  purgeAt: undefined,
  running: [],
});

async function enable(
  workshop: Workshop,
  vault: VaultRow,
  { host, machine }: FoundMachine,
  settings: Pick<ItemRow, 'excluded_disks_json' | 'vm_name'> & ReturnType<typeof underPolicy>,
  payload: ConfigurePayload,
  check: (tx: Database) => Promise<void>,
): Promise<string> {
  const item: ItemRow = {
    item_id: payload.itemId,
    agent_json: null,
    vault_id: vault.vault_id,
    vm_uuid: machine.uuid,
    host_resource_group: host.resource_group,
    host_name: host.name,
    state: 'IRPending',
    created_at: catalogTime(workshop.clock.now()),
    last_backup_status: '',
    last_backup_at: null,
    last_error_json: null,
    next_due_at: null,
    deleted_at: null,
    purge_at: null,
    purging: 0,
    revision: 0,
    ...settings,
  };
  try {
    return await workshop.engine.start<ConfigurePayload>('ConfigureBackup', {
      vaultId: vault.vault_id,
      itemId: item.item_id,
      entityName: item.vm_name,
      userTriggered: true,
      payload,
      taskIds: [],
      alongside: async (tx) => {
        await check(tx);
        await insertItem(tx, item);
        await planNextBackup(tx, item.item_id, workshop.clock.now());
      },
    });
  } catch (error) {
    if (isHoldfastError(error)) throw error;
    // Two who enable one VM at once are told apart by the catalog, in whichever vaults they do.
    const rivals = await listItemsOfVm(workshop.db, host.name, machine.uuid);
    const named = await findItemOfName(workshop.db, vault.vault_id, host.resource_group, machine.name);
    if (named === undefined && rivals.every((rival) => rival.policy_name === null)) throw error;
    throw changedMeanwhile(item);
  }
}

const policyChanged = (name: string) =>
  new HoldfastError(
    'BMSUserErrorConflictingProtectionOperation',
    `Policy '${name}' has just been changed by somebody else.`,
    { target: name, action: 'Look at the policy, and try again if it is still wanted.' },
  );

function refuseWith(judgements: readonly Judgement[], target: string): void {
  const refusals = judgements.flatMap((judgement) => (judgement.allowed ? [] : judgement.refusals));
  // A policy is looked at both for the VM and for the item.
  const [first, ...more] = [...new Map(refusals.map((refusal) => [refusal.message, refusal])).values()];
  if (first !== undefined) throw refusalError([first, ...more] as [Refusal, ...Refusal[]], target);
}

/**
 * The item that the VM has in the vault, or takes over from a VM of its name that is gone.
 * @throws ResourceAlreadyExists, UserErrorProtectedVmStillExists, HostUnreachable
 */
async function findItem(
  workshop: Workshop,
  vault: VaultRow,
  { host, machine }: FoundMachine,
): Promise<{ known: ItemRow | undefined; replaces: false } | { known: ItemRow; replaces: true }> {
  const items = await listItemsOfVm(workshop.db, host.name, machine.uuid);
  const own = items.find((item) => item.vault_id === vault.vault_id);
  const named = await findItemOfName(workshop.db, vault.vault_id, host.resource_group, machine.name);
  if (named === undefined || named.item_id === own?.item_id) return { known: own, replaces: false };
  if (own !== undefined)
    throw new HoldfastError(
      'ResourceAlreadyExists',
      `Vault '${vault.name}' protects another VM as '${machine.name}', and this one as '${own.vm_name}'.`,
      { target: machine.name },
    );
  // What is soft-deleted is refused as that; its VM does not matter.
  if (named.state === 'SoftDeleted') return { known: named, replaces: false };
  await refuseUnlessGone(workshop, named);
  return { known: named, replaces: true };
}

async function refuseObstacles(
  workshop: Workshop,
  { host, machine }: FoundMachine,
  excludedDisks: readonly string[],
): Promise<void> {
  const connection = await workshop.estate.host(host.name);
  const [first, ...others] = await connection.findObstacles(machine.uuid, excludedDisks);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` Also: ${others.map((obstacle) => obstacle.message).join(' ')}`;
  throw new HoldfastError(first.code, `VM '${machine.name}' can't be protected: ${first.message}${more}`, {
    target: machine.name,
    action: first.action,
  });
}
