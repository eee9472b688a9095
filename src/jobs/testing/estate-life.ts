import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  findItemOfName,
  findJob,
  getVault,
  type ItemRow,
  insertPolicy,
  inVault,
  listPoints,
  type PointRow,
} from '../../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../../errors/index.ts';
import { defaultPolicy, enhancedPolicy } from '../../protection/index.ts';
import { startBackup } from '../backup.ts';
import { deletePoint, extendPoint, undeletePoint } from '../change-point.ts';
import { configureProtection } from '../configure.ts';
import { deleteData } from '../delete-data.ts';
import { savePolicy } from '../edit-policy.ts';
import { maintainAll } from '../maintenance.ts';
import { purge } from '../purge.ts';
import { startReplication } from '../replicate.ts';
import { startDueReplications } from '../replicate-due.ts';
import { startDueBackups } from '../scheduler.ts';
import { startRestore } from '../start-restore.ts';
import { stopProtection } from '../stop-protection.ts';
import type { StoredPoint } from '../stored-point.ts';
import { undelete } from '../undelete.ts';
import { changeVaultSecurity, securityOf } from '../vault-security.ts';
import { checkPoints, differenceFrom, type SeenPoints } from './estate-checks.ts';
import {
  type Change,
  type EstateModel,
  firstDays,
  type ItemModel,
  next,
  type PointFacts,
  type PolicyName,
  policyTypes,
  type Step,
  type Tally,
  type VaultId,
  type VmName,
  vaultIds,
  vmNames,
} from './estate-model.ts';
import { GuestContents } from './guest-contents.ts';
import { createSmallEstate, type SmallEstate } from './small-estate.ts';

const policyOf = (name: PolicyName, days: number) => ({
  ...(policyTypes[name] === 'V1' ? defaultPolicy : enhancedPolicy),
  name,
  retention: { daily: { count: days } },
});
const diskBytes = 65_536;
const key = (vault: VaultId, vm: VmName) => `${vault}/${vm}` as const;

/** An estate of three VMs and two vaults, the first with a replica, that is led step by step beside its model. */
export class EstateLife implements AsyncDisposable {
  readonly #estate: SmallEstate;
  readonly #tally: Tally;
  #model: EstateModel;
  readonly #contents: GuestContents;
  readonly #seen: SeenPoints = new Map();
  #restores = 0;

  private constructor(estate: SmallEstate, tally: Tally) {
    this.#estate = estate;
    this.#tally = tally;
    const days = () => ({ immutability: 'Disabled' as const, days: { ...firstDays } });
    const web: ItemModel = { state: 'IRPending', policy: 'DefaultPolicy', days: 30, vm: estate.vmUuid };
    this.#model = {
      vaults: { v1: days(), v2: days() },
      vms: { web: estate.vmUuid },
      items: { 'v1/web': web },
    };
    this.#contents = new GuestContents(estate.host);
    this.#contents.begin(estate.vmUuid, estate.now);
    for (const vm of ['db', 'app'] as const) this.#model.vms[vm] = this.#addMachine(vm);
  }

  static async begin(tally: Tally): Promise<EstateLife> {
    // Always the same, for a seed to mean the same; before the clocks change in spring.
    const estate = await createSmallEstate(Temporal.Instant.from('2026-03-02T08:00:00Z'));
    const { db } = estate.workshop;
    const all = (Object.keys(policyTypes) as PolicyName[]).map((name) => policyOf(name, firstDays[name]));
    await estate.addVault('v2', 'Second', all);
    for (const policy of all.filter(({ name }) => name !== defaultPolicy.name))
      await insertPolicy(db, 'v1', policy);
    await estate.addReplica();
    return new EstateLife(estate, tally);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#estate[Symbol.asyncDispose]();
  }

  async step(step: Step): Promise<void> {
    if (step.do === 'die') await this.#die(step.at, step.during);
    else {
      const expected = next(this.#model, step, await this.#factsFor(step), this.#estate.now);
      let refused: HoldfastError | undefined;
      try {
        await this.#act(step);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        refused = error;
      }
      const isRefused = expected === undefined;
      expect(refused?.message ?? 'done', this.#story(step)).toEqual(
        isRefused ? expect.not.stringMatching(/^done$/) : 'done',
      );
      // What the world did beside: a VM that came has another UUID.
      if (step.do !== 'return' && expected !== undefined) this.#model = expected;
      this.#count(isRefused ? `${step.do} refused` : step.do);
    }
    // What a step sets going, a replication after a backup, belongs to it.
    await this.#estate.idle();
    expect(await differenceFrom(this.#model, this.#estate), this.#story(step)).toBeUndefined();
    await checkPoints(this.#model, this.#estate, this.#seen, this.#tally);
  }

  /** Reads every point that is there from the store, and compares it with what the guest had at that moment. */
  async audit(): Promise<void> {
    for (const vault of vaultIds)
      for (const vm of vmNames) {
        const points = await this.#points(vault, vm);
        for (const [pick, point] of points.entries())
          if (this.#model.items[key(vault, vm)]?.state !== 'SoftDeleted' && point.soft_deleted_until === null)
            await this.#act({ do: 'restore', vault, vm, pick, from: 'anywhere' });
      }
  }

  /** Either it was done, or it was not; whatever it was, the next service goes on from there. */
  async #die(at: number, during: Change): Promise<void> {
    // What made a backup fail is over when the next service takes it up.
    const whole = during.do === 'backUp' ? { ...during, fate: 'well' as const } : during;
    const before = this.#model;
    const expected = next(before, whole, await this.#factsFor(during), this.#estate.now);
    this.#estate.dieAtWrite(at);
    await this.#act(during).catch((error: unknown) => {
      if (!this.#estate.isDead() && !isHoldfastError(error)) throw error;
    });
    this.#count(this.#estate.isDead() ? `die in ${during.do}` : 'die too late');
    await this.#estate.restart();
    await this.#estate.idle();
    const candidates = expected === undefined ? [before] : [expected, before];
    const differences: string[] = [];
    for (const candidate of candidates) {
      this.#model = candidate;
      const difference = await differenceFrom(candidate, this.#estate);
      if (difference === undefined) return;
      differences.push(difference);
    }
    throw new Error(`${this.#story({ do: 'die', at, during })}: ${differences.join('; or ')}`);
  }

  #story = (step: Step) => `${JSON.stringify(step)} in ${JSON.stringify(this.#model)} at ${this.#estate.now}`;
  #count = (what: string) => void this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);

  #addMachine(name: VmName): string {
    const uuid = this.#estate.host.addMachine(name, { vda: diskBytes });
    this.#contents.begin(uuid, this.#estate.now);
    return uuid;
  }

  #find = (vault: VaultId, vm: VmName) => findItemOfName(this.#estate.workshop.db, vault, 'default', vm);

  /** Newest first. */
  async #points(vault: VaultId, vm: VmName): Promise<PointRow[]> {
    const item = await this.#find(vault, vm);
    if (item === undefined) return [];
    const points = await listPoints(this.#estate.workshop.db, item.item_id);
    return points.toSorted(
      (a, b) => b.taken_at.localeCompare(a.taken_at) || b.point_id.localeCompare(a.point_id),
    );
  }

  async #factsFor(step: Step): Promise<PointFacts[]> {
    if (!('vault' in step) || !('vm' in step)) return [];
    return (await this.#points(step.vault, step.vm)).map((point) => ({
      expiresAt: Temporal.Instant.from(point.expires_at),
      inVault: point.in_vault === inVault.yes,
      inReplica: point.in_replica === 1,
      softDeletedUntil:
        point.soft_deleted_until === null ? undefined : Temporal.Instant.from(point.soft_deleted_until),
      deletedByPerson: point.deleted_by_person === 1,
    }));
  }

  async #act(step: Exclude<Step, { do: 'die' }>): Promise<void> {
    const estate = this.#estate;
    const { workshop } = estate;
    const { db } = workshop;
    switch (step.do) {
      case 'vanish': {
        const uuid = this.#model.vms[step.vm];
        if (uuid !== undefined) estate.host.removeMachine(uuid);
        return;
      }
      case 'return':
        this.#model.vms[step.vm] ??= this.#addMachine(step.vm);
        return;
      case 'restart':
        await estate.restart();
        return estate.idle();
      case 'jump':
        estate.now = estate.now.add({ hours: step.hours });
        return;
      case 'pass':
        estate.now = estate.now.add({ hours: step.hours });
        // As the scheduler does, which looks more often; here it has time for everything.
        for (const jobId of await startDueBackups(workshop)) await estate.settled(jobId);
        await maintainAll(workshop);
        await startDueReplications(workshop);
        return estate.idle();
      case 'replicate':
        return this.#ends(
          await startReplication(workshop, await getVault(db, 'v1'), { userTriggered: true }),
          ['Completed'],
        );
      case 'secure':
        await changeVaultSecurity(workshop, await getVault(db, step.vault), {
          immutability: step.immutability,
        });
        return;
      case 'editPolicy': {
        const vault = await getVault(db, step.vault);
        const { jobId } = await savePolicy(
          workshop,
          vault,
          policyOf(step.policy, step.days),
          securityOf(vault),
        );
        if (jobId !== undefined) await this.#ends(jobId);
        return estate.idle();
      }
      case 'configure': {
        const found = (await workshop.estate.listMachines()).find(({ machine }) => machine.name === step.vm);
        if (found === undefined) throw new HoldfastError('UserErrorVmNotFoundV2', 'The VM is gone.');
        const vault = await getVault(db, step.vault);
        const { jobId } = await configureProtection(workshop, vault, found, { policyName: step.policy });
        return this.#ends(jobId, ['Completed']);
      }
    }
    const item = await this.#find(step.vault, step.vm);
    if (item === undefined) throw new HoldfastError('ResourceNotFound', 'There is no item.');
    switch (step.do) {
      case 'stop':
        return this.#ends(await stopProtection(workshop, item));
      case 'suspend':
        return this.#ends(await stopProtection(workshop, item, 'suspend'));
      case 'delete':
        return this.#ends(await deleteData(workshop, item, step.typed === 'right' ? step.vm : 'wrong'));
      case 'undelete':
        return this.#ends(await undelete(workshop, item), ['Completed']);
      case 'purge':
        return this.#ends(await purge(workshop, item, { userTriggered: true }), ['Completed']);
      case 'backUp':
        return this.#backUp(item, step.fate);
    }
    const point = (await this.#points(step.vault, step.vm))[step.pick];
    if (point === undefined) throw new HoldfastError('ResourceNotFound', 'There is no such point.');
    switch (step.do) {
      case 'extendPoint':
        await extendPoint(workshop, item, point.point_id, estate.now.add({ hours: 24 * step.days }));
        return estate.idle();
      case 'deletePoint':
        await deletePoint(workshop, item, point.point_id);
        return estate.idle();
      case 'undeletePoint':
        await undeletePoint(workshop, item, point.point_id);
        return estate.idle();
      case 'restore':
        return this.#restore(item, point, step.from);
    }
  }

  async #backUp(item: ItemRow, fate: string): Promise<void> {
    const estate = this.#estate;
    estate.now = estate.now.add({ seconds: 1 });
    if (Object.values(this.#model.vms).includes(item.vm_uuid)) this.#contents.write(item.vm_uuid, estate.now);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let hiccups = fate === 'hostHiccups' ? 1 : 0;
    estate.host.onCall = async (operation) => {
      if (operation === 'takePoint' && hiccups-- > 0)
        throw new HoldfastError('HostUnreachable', 'Once more.');
      if (operation === { hostFails: 'takePoint', storeFails: 'openPoint' }[fate])
        throw new HoldfastError('UserErrorVmNotInDesirableState', 'Not now.');
      if (operation !== 'takePoint' || fate !== 'cancelled') return;
      reached.resolve();
      await goOn.promise;
    };
    try {
      const jobId = await startBackup(estate.workshop, item, { onDemand: {} });
      if (fate === 'cancelled') {
        await Promise.race([reached.promise, estate.workshop.engine.wait(jobId)]);
        const cancelling = estate.workshop.engine.cancel(jobId).catch(() => {});
        goOn.resolve();
        await cancelling;
      }
      await this.#ends(jobId);
    } finally {
      goOn.resolve();
      estate.host.onCall = () => {};
    }
  }

  async #restore(item: ItemRow, point: PointRow, from: 'anywhere' | 'vault' | 'replica'): Promise<void> {
    const directory = join(this.#estate.directory, `restore-${++this.#restores}`);
    await mkdir(directory);
    const jobId = await startRestore(this.#estate.workshop, item, point, {
      kind: 'disks',
      directory,
      disks: ['vda'],
      ...{
        anywhere: {},
        vault: { tier: 'vault', from: 'primary' } as const,
        replica: { from: 'replica' } as const,
      }[from],
    });
    await this.#ends(jobId, ['Completed']);
    if (!this.#estate.isDead()) {
      const { machineUuid } = JSON.parse(point.frozen_json) as StoredPoint;
      const taken = Temporal.Instant.from(point.taken_at);
      const then = this.#contents.at(machineUuid, taken);
      const restored = await readFile(join(directory, `${item.vm_name}-${point.point_id}-vda.raw`));
      const isSame = then !== undefined && restored.equals(then);
      expect(isSame, `${point.point_id} of ${point.taken_at}`).toBe(true);
    }
    await rm(directory, { recursive: true });
  }

  async #ends(jobId: string, allowed?: string[]): Promise<void> {
    await this.#estate.settled(jobId);
    const record = this.#estate.isDead() ? undefined : await findJob(this.#estate.workshop.db, jobId);
    if (record !== undefined && allowed !== undefined)
      expect(allowed, `${record.job.operation}: ${record.job.error_json}`).toContain(record.job.status);
  }
}
