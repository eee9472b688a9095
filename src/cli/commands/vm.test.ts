import { describe, expect, test } from 'vitest';
import { machine } from '../testing/samples.ts';
import { lines, world } from '../testing/scripted-service.ts';

describe('virtual machines', () => {
  test('a VM is shown with its disks and what stands in the way of protecting it', async () => {
    const { run } = await world({ 'GET GROUP/providers/Holdfast.Fleet/virtualMachines/web-1': machine });
    const { out } = await run('vm show web-1');
    expect(out).toContain('Protection      not protectable\n');
    expect(out).toContain(
      lines(
        'DISK  BUS     TYPE  FORMAT     SIZE  LAYERS  PATH',
        'vda   virtio  file  qcow2   8.0 GiB       1  /d/a.qcow2',
        'vdb   virtio  file  raw     1.0 GiB       0  /d/b.img',
        '',
        'OBSTACLE       DISK  WHY             WHAT TO DO',
        'DiskShareable  vdb   vdb is shared.  Exclude it.',
      ),
    );
  });

  test('the freeze hook is installed, or printed with what to do', async () => {
    const at = 'GROUP/providers/Holdfast.Fleet/virtualMachines/web-1/installFreezeHook';
    const { run } = await world({
      [`POST ${at}`]: { path: '/etc/qemu/fsfreeze-hook.d/h', left: ['Restart it.', 'Smile.'] },
      'GET SUB/providers/Holdfast.Fleet/freezeHook': {
        name: 'h',
        script: '#!/bin/sh\n',
        steps: ['Save it.'],
      },
    });
    expect((await run('vm install-hook web-1')).out).toBe(
      'Freeze hook  /etc/qemu/fsfreeze-hook.d/h\nLeft to do   Restart it.\n             Smile.\n',
    );
    const printed = await run('vm install-hook web-1 --print');
    expect([printed.out, printed.err]).toEqual(['#!/bin/sh\n', '1. Save it.\n']);
  });
});
