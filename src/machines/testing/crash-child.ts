/**
 * Does one operation on a host and is killed, as by a crash, at the step it is told: no `finally` of ours runs.
 * Arguments: JSON of {@link CrashOrder}. Ends with status 0 when the step never came.
 */
import { openLibvirtHost } from '../libvirt-host.ts';
import { systemClock } from './system-clock.ts';

export interface CrashOrder {
  uri: string;
  stateDirectory: string;
  machineUuid: string;
  operation: { take: string } | { expire: string[] } | 'release';
  dieAt: string;
}

const order = JSON.parse(process.argv[2] ?? '') as CrashOrder;
const host = await openLibvirtHost({
  uri: order.uri,
  stateDirectory: order.stateDirectory,
  clock: systemClock,
  minimumFreeBytes: 1024 * 1024,
  onStep(step) {
    if (step === order.dieAt) process.kill(process.pid, 'SIGKILL');
  },
});
const { machineUuid, operation } = order;
if (operation === 'release') await host.releaseMachine(machineUuid);
else if ('expire' in operation) await host.expirePoints(machineUuid, operation.expire, {});
else
  await host.takePoint({
    machineUuid,
    pointId: operation.take,
    excludedDisks: [],
    consistency: 'application-or-file-system',
  });
