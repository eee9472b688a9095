import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  findItem,
  findItemOfName,
  findJob,
  type ItemRow,
  insertPolicy,
  inVault,
  listPoints,
  type PointRow,
} from '../catalog/index.ts';
import { HoldfastError, isHoldfastError } from '../errors/index.ts';
import { defaultPolicy, enhancedPolicy } from '../protection/index.ts';
import { startBackup } from './backup.ts';
import { configureProtection } from './configure.ts';
import { deleteData } from './delete-data.ts';
import { maintainAll } from './maintenance.ts';
import { startDueBackups } from './scheduler.ts';
import { stopProtection } from './stop-protection.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';
import { undelete } from './undelete.ts';
import { changeVaultSecurity } from './vault-security.ts';

/** Weeks in the life of one VM in one vault, at random, against a model that knows only what is in this file. */
const policies = {
  DefaultPolicy: { type: 'V1', days: 30 },
  Longer: { type: 'V1', days: 60 },
  EnhancedPolicy: { type: 'V2', days: 30 },
} as const;
type PolicyName = keyof typeof policies;

const changing = [
  fc.record({
    do: fc.constant('configure' as const),
    policy: fc.constantFrom(...(Object.keys(policies) as PolicyName[])),
  }),
  fc.record({ do: fc.constantFrom('stop' as const, 'suspend' as const, 'undelete' as const) }),
  fc.record({ do: fc.constant('delete' as const), typed: fc.constantFrom('web', 'web', 'web', 'wab') }),
  fc.record({
    do: fc.constant('backUp' as const),
    fate: fc.constantFrom('well', 'well', 'hostFails', 'storeFails', 'cancelled'),
  }),
] as const;

const step = fc.oneof(
  { weight: 10, arbitrary: fc.oneof(...changing) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('secure' as const),
      immutability: fc.constantFrom('Disabled', 'Unlocked'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      hours: fc.constantFrom(3, 24, 24 * 8, 24 * 15, 24 * 35),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('vanish' as const, 'return' as const, 'restart' as const) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('die' as const),
      at: fc.integer({ min: 0, max: 40 }),
      during: fc.oneof(...changing),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

type State = ItemRow['state'] | 'None';
interface Model {
  state: State;
  policy: PolicyName;
  immutable: boolean;
  vmThere: boolean;
  /** When what is soft-deleted may go. */
  purgeAt: Temporal.Instant | undefined;
}

const isActive = (state: State) => state === 'IRPending' || state === 'Protected';

/**
 * What the model says of a step; undefined: it is refused.
 * @param isBound the item is about the VM that is there, and not about one of its name that is gone
 */
function next(
  model: Model,
  wanted: Step,
  points: PointRow[],
  isBound: boolean,
  now: Temporal.Instant,
): Model | undefined {
  const stored = points.filter((point) => point.in_vault === inVault.yes);
  switch (wanted.do) {
    case 'configure': {
      if (!model.vmThere || model.state === 'SoftDeleted') return undefined;
      const [had, has] = [policies[model.policy], policies[wanted.policy]];
      if (model.state !== 'None' && had.type === 'V2' && has.type === 'V1') return undefined;
      if (model.state !== 'None' && model.immutable && has.days < had.days) return undefined;
      return { ...model, policy: wanted.policy, state: stored.length > 0 ? 'Protected' : 'IRPending' };
    }
    case 'stop':
      return model.state === 'None' || model.state === 'SoftDeleted'
        ? undefined
        : { ...model, state: 'ProtectionStopped' };
    case 'suspend':
      return model.immutable && (isActive(model.state) || model.state === 'BackupsSuspended')
        ? { ...model, state: 'BackupsSuspended' }
        : undefined;
    case 'delete': {
      if (model.state === 'None' || model.state === 'SoftDeleted' || wanted.typed !== 'web') return undefined;
      const holds = stored.some((point) => Temporal.Instant.compare(now, point.expires_at) < 0);
      if (model.immutable && holds) return undefined;
      if (points.length === 0) return { ...model, state: 'None' };
      return { ...model, state: 'SoftDeleted', purgeAt: now.add({ hours: 14 * 24 }) };
    }
    case 'undelete':
      return model.state === 'SoftDeleted' ? { ...model, state: 'ProtectionStopped' } : undefined;
    case 'backUp':
      return isActive(model.state)
        ? { ...model, state: isBound && wanted.fate === 'well' ? 'Protected' : model.state }
        : undefined;
    case 'secure':
      return { ...model, immutable: wanted.immutability === 'Unlocked' };
    case 'vanish':
      return { ...model, vmThere: false };
    case 'return':
      return { ...model, vmThere: true };
    default:
      return model;
  }
}

class Life {
  readonly estate: SmallEstate;
  model: Model;
  vmUuid: string;
  /** Every point that was in the vault, as last seen. */
  readonly seen = new Map<string, PointRow>();
  #writes = 0;

  constructor(estate: SmallEstate) {
    this.estate = estate;
    this.vmUuid = estate.vmUuid;
    this.model = {
      state: 'IRPending',
      policy: 'DefaultPolicy',
      immutable: false,
      vmThere: true,
      purgeAt: undefined,
    };
  }

  find = () => findItemOfName(this.estate.workshop.db, 'v1', 'default', 'web');
  async isBound(): Promise<boolean> {
    return this.model.vmThere && (await this.find())?.vm_uuid === this.vmUuid;
  }

  async points(): Promise<PointRow[]> {
    const item = await this.find();
    return item === undefined ? [] : listPoints(this.estate.workshop.db, item.item_id);
  }

  async step(wanted: Step): Promise<void> {
    if (wanted.do === 'die') return this.die(wanted.at, wanted.during);
    const { model, estate } = this;
    const expected = next(model, wanted, await this.points(), await this.isBound(), estate.now);
    let refused: HoldfastError | undefined;
    try {
      await this.act(wanted);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      refused = error;
    }
    expect(refused?.code ?? 'done', JSON.stringify([wanted, model])).toEqual(
      expected === undefined ? expect.stringMatching(/^(UserError|BMSUserError|Invalid|Resource)/) : 'done',
    );
    this.model = expected ?? model;
    await this.check();
  }

  /** Either it was done, or it was not. */
  async die(at: number, during: Step): Promise<void> {
    const { model, estate } = this;
    // What made a backup fail is over when the next service takes it up.
    const whole = during.do === 'backUp' ? { ...during, fate: 'well' as const } : during;
    const expected = next(model, whole, await this.points(), await this.isBound(), estate.now);
    estate.dieAtStatement(at);
    await this.act(during).catch((error: unknown) => {
      if (!estate.isDead() && !isHoldfastError(error)) throw error;
    });
    await estate.restart();
    await estate.idle();
    const state = (await this.find())?.state ?? 'None';
    const item = await this.find();
    const candidates = [model, ...(expected === undefined ? [] : [expected])];
    const shown = candidates.findLast(
      (candidate) =>
        candidate.state === state &&
        (!isActive(state) || candidate.policy === item?.policy_name || item?.policy_name === undefined),
    );
    expect(
      shown,
      `died at ${at} of ${JSON.stringify(during)} in ${JSON.stringify(model)}: ${state}`,
    ).toBeDefined();
    this.model = shown ?? model;
    await this.check();
  }

  async act(wanted: Step): Promise<void> {
    const { estate } = this;
    const { workshop } = estate;
    const item = async () => {
      const found = await this.find();
      if (found === undefined) throw new HoldfastError('ResourceNotFound', 'There is no item.');
      return found;
    };
    switch (wanted.do) {
      case 'configure': {
        const found = (await workshop.estate.listMachines()).find(({ machine }) => machine.name === 'web');
        if (found === undefined) throw new HoldfastError('UserErrorVmNotFoundV2', 'The VM is gone.');
        const { policy: policyName } = wanted;
        const { jobId } = await configureProtection(workshop, estate.vault, found, { policyName });
        return this.ends(jobId, ['Completed']);
      }
      case 'stop':
        return this.ends(await stopProtection(workshop, await item()));
      case 'suspend':
        return this.ends(await stopProtection(workshop, await item(), 'suspend'));
      case 'delete':
        return this.ends(await deleteData(workshop, await item(), wanted.typed));
      case 'undelete':
        return this.ends(await undelete(workshop, await item()), ['Completed']);
      case 'backUp':
        return this.backUp(await item(), wanted.fate);
      case 'secure':
        estate.vault = await changeVaultSecurity(workshop, estate.vault, {
          immutability: wanted.immutability as 'Disabled' | 'Unlocked',
        });
        return;
      case 'pass': {
        estate.now = estate.now.add({ hours: wanted.hours });
        // As the scheduler does, which looks more often; here it has time for everything.
        for (const jobId of await startDueBackups(workshop)) await estate.settled(jobId);
        await maintainAll(workshop);
        await estate.idle();
        return;
      }
      case 'vanish':
        if (this.model.vmThere) estate.host.removeMachine(this.vmUuid);
        return;
      case 'return':
        if (!this.model.vmThere) this.vmUuid = estate.host.addMachine('web', { vda: 65_536 });
        return;
      case 'restart':
        await estate.restart();
        return estate.idle();
    }
  }

  async backUp(item: ItemRow, fate: string): Promise<void> {
    const { estate } = this;
    estate.now = estate.now.add({ seconds: 1 });
    if (this.model.vmThere && item.vm_uuid === this.vmUuid)
      estate.host.write(
        this.vmUuid,
        'vda',
        4096 * (this.#writes++ % 16),
        new Uint8Array(64).fill(this.#writes),
      );
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    estate.host.onCall = async (operation) => {
      if (operation === (fate === 'hostFails' ? 'takePoint' : 'openPoint') && /Fails$/.test(fate))
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
      await this.ends(jobId);
    } finally {
      goOn.resolve();
      estate.host.onCall = () => {};
    }
  }

  async ends(jobId: string, allowed?: string[]): Promise<void> {
    await this.estate.settled(jobId);
    const status = (await findJob(this.estate.workshop.db, jobId))?.job.status;
    if (!this.estate.isDead() && allowed !== undefined) expect(allowed).toContain(status);
  }

  /** What is shown is what the model allows, and no point went before its time. */
  async check(): Promise<void> {
    const { estate, model, seen } = this;
    const { db } = estate.workshop;
    const item = await this.find();
    const isOver = model.purgeAt !== undefined && Temporal.Instant.compare(model.purgeAt, estate.now) <= 0;
    if (model.state === 'SoftDeleted' && isOver && item === undefined) {
      expect((await (await estate.store()).listPoints()).points).toEqual([]);
      seen.clear();
      this.model = { ...model, state: 'None', purgeAt: undefined };
      return;
    }
    // A scheduled backup, or one that a dead service had begun, brings the first point meanwhile.
    if (model.state === 'IRPending' && item?.state === 'Protected') model.state = 'Protected';
    expect(item?.state ?? 'None').toBe(model.state);
    if (item !== undefined && isActive(model.state)) expect(item.policy_name).toBe(model.policy);
    const points = item === undefined ? [] : await listPoints(db, item.item_id);
    const stored = points.filter((point) => point.in_vault === inVault.yes);
    const there = new Set(stored.map((point) => point.point_id));
    const expires = isActive(model.state) || model.state === 'BackupsSuspended';
    for (const point of seen.values()) {
      if (there.has(point.point_id)) continue;
      const wasDue = Temporal.Instant.compare(point.expires_at, estate.now) <= 0;
      expect(expires && wasDue, `${point.point_id} of ${point.taken_at} is gone in ${model.state}`).toBe(
        true,
      );
      seen.delete(point.point_id);
    }
    expect(seen.size === 0 || stored.length > 0).toBe(true); // the last one stays
    for (const point of stored) seen.set(point.point_id, point);
    if (model.state === 'Protected') expect(stored.length).toBeGreaterThan(0);
    if (item === undefined) return;
    const records = new Set((await (await estate.store()).listPoints()).points.map(({ pointId }) => pointId));
    for (const point of stored) expect(records.has(point.point_id)).toBe(true);
    expect(await findItem(db, item.item_id)).toMatchObject({ purging: 0 });
  }
}

it('lives as the model says, whatever is asked of it, and whenever the service dies', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30, size: 'max' }), async (steps) => {
      await using estate = await createSmallEstate();
      const { db } = estate.workshop;
      await insertPolicy(db, 'v1', { ...defaultPolicy, name: 'Longer', retention: { daily: { count: 60 } } });
      await insertPolicy(db, 'v1', enhancedPolicy);
      const life = new Life(estate);
      for (const each of steps) await life.step(each as Step);
    }),
    { numRuns: 40, interruptAfterTimeLimit: 120_000, markInterruptAsFailure: false },
  );
}, 300_000);
