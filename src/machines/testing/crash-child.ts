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
  /** `replace`: gives disk vda this byte, over and over, as point `point`. */
  operation: { take: string } | { expire: string[] } | 'release' | { replace: number; point: string };
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
else if ('replace' in operation)
  await host.replaceDisks({
    machineUuid,
    pointId: operation.point,
    excludedDisks: [],
    consistency: 'crash',
    replaced: ['vda'],
    async fill(open) {
      await using disk = await open('vda');
      await disk.write(0, new Uint8Array(disk.sizeBytes).fill(operation.replace));
      await disk.finish();
    },
  });
else
  await host.takePoint({
    machineUuid,
    pointId: operation.take,
    excludedDisks: [],
    consistency: 'application-or-file-system',
  });
