import { afterEach, beforeEach, expect, it } from 'vitest';
import { findJob, listPoints, updateItem } from '../catalog/index.ts';
import { type ErrorCode, HoldfastError } from '../errors/index.ts';
import { enhancedPolicy } from '../protection/index.ts';
import { agentOf } from './agent-record.ts';
import { startBackup } from './backup.ts';
import { underPolicy } from './policies.ts';
import { consistencyProperties } from './snapshot-point.ts';
import { createSmallEstate, type SmallEstate } from './testing/small-estate.ts';

let estate: SmallEstate;

beforeEach(async () => {
  estate = await createSmallEstate();
});
afterEach(() => estate[Symbol.asyncDispose]());

async function backUp() {
  estate.now = estate.now.add({ seconds: 1 });
  const jobId = await startBackup(estate.workshop, await estate.item(), { onDemand: {} });
  await estate.settled(jobId);
  const job = (await findJob(estate.workshop.db, jobId))?.job;
  return { status: job?.status, properties: JSON.parse(job?.property_bag_json ?? '{}') };
}

const failTake = (code: ErrorCode, times: number) => {
  let left = times;
  estate.host.onCall = (operation) => {
    if (operation === 'takePoint' && left-- > 0) throw new HoldfastError(code, 'It did not work.');
  };
};

it('says what the consistency is, why not better, and what to do', async () => {
  expect(await backUp()).toMatchObject({
    status: 'Completed',
    properties: {
      Consistency: 'crash',
      'Consistency reason': 'The guest has no agent.',
      'Consistency code': 'UserErrorGuestAgentStatusUnavailable',
      'Recommended action': expect.stringContaining('qemu-guest-agent'),
      'Frozen for': '0 ms',
    },
  });
});

it('freezes nothing when the policy wants only crash-consistent points, and there is nothing to explain', async () => {
  const policy = { ...enhancedPolicy, snapshotConsistencyType: 'OnlyCrashConsistent' } as const;
  await updateItem(estate.workshop.db, estate.itemId, underPolicy(policy, estate.now));
  const { status, properties } = await backUp();
  expect([status, properties.Consistency]).toEqual(['Completed', 'crash']);
  expect(properties).not.toHaveProperty('Consistency reason');
});

it('takes a snapshot that failed under a freeze again without one, and says so', async () => {
  failTake('UserErrorCrpReportedUserError', 1);
  expect(await backUp()).toMatchObject({
    status: 'Completed',
    properties: {
      Consistency: 'crash',
      'Consistency reason': expect.stringMatching(/failed at first \(It did not work\.\).*without freezing/),
      'Consistency code': 'UserErrorCrpReportedUserError',
    },
  });
  const [point] = await listPoints(estate.workshop.db, estate.itemId);
  expect(JSON.parse(point?.frozen_json ?? '{}')).toMatchObject({
    consistency: 'crash',
    consistencyCode: 'UserErrorCrpReportedUserError',
  });
});

it('tries again with the freeze where that was not the reason, or the VM needs it', async () => {
  failTake('HostUnreachable', 1);
  expect((await backUp()).properties).toMatchObject({ 'Consistency reason': 'The guest has no agent.' });
  const { getMachine } = estate.host;
  estate.host.getMachine = async (uuid) => {
    const machine = await getMachine(uuid);
    return { ...machine, disks: machine.disks.map((disk) => ({ ...disk, cache: 'unsafe' })) };
  };
  failTake('UserErrorFsFreezeFailed', 1);
  expect((await backUp()).properties).toMatchObject({ 'Consistency reason': 'The guest has no agent.' });
  failTake('UserErrorFsFreezeFailed', 2);
  expect(await backUp()).toMatchObject({ status: 'Failed' });
});

it('looks at the agent again where a point shows that what is known of it is no longer so', async () => {
  const asked = () => {
    let count = 0;
    estate.host.onCall = (operation) => void (operation === 'reportAgent' && count++);
    return () => count;
  };
  const first = asked();
  await backUp();
  expect(first()).toBe(1);
  expect(agentOf(await estate.item())).toMatchObject({
    status: 'absent',
    problem: { code: 'UserErrorGuestAgentStatusUnavailable' },
  });
  const second = asked();
  await backUp();
  expect(second()).toBe(0);
  const { takePoint } = estate.host;
  estate.host.takePoint = async (request) => ({
    ...(await takePoint(request)),
    consistency: 'file-system',
    consistencyReason: undefined,
    consistencyCode: undefined,
  });
  const third = asked();
  await backUp();
  expect(third()).toBe(1);
  estate.host.onCall = (operation) => {
    if (operation === 'reportAgent') throw new HoldfastError('HostUnreachable', 'Away.');
  };
  expect(await backUp()).toMatchObject({ status: 'Completed' });
});

it('has nothing to explain of a point as good as was wanted', () => {
  const frozen = { consistency: 'file-system', consistencyReason: undefined, frozenMs: 12 } as const;
  expect(consistencyProperties(frozen as Parameters<typeof consistencyProperties>[0])).toEqual({
    Consistency: 'file-system',
    'Frozen for': '12 ms',
  });
});
