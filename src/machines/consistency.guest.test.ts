import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabGuest, startLab } from '../../tests/lab/index.ts';
import { until } from '../../tests/support/until.ts';
import type { Host } from './host.ts';
import { contentOfPoint, openLabHost, overlaysIn } from './testing/lab-host.ts';

let lab: Lab;
let guest: LabGuest;
const alerts: string[] = [];
const hosts: Host[] = [];
let pointCount = 0;

beforeAll(async () => {
  lab = await startLab();
  guest = await lab.makeGuest({ name: 'moody', disks: [{ format: 'qcow2', sizeBytes: 8 * 2 ** 20 }] });
  await guest.waitForAgent();
  await guest.waitForBoot();
});
afterAll(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Takes a point as a backup does. `onFrozen` is called while the guest is frozen. */
async function takePoint(onFrozen: () => Promise<void> = async () => {}) {
  const host = await openLabHost(lab, {
    onAlert: ({ code }) => alerts.push(code),
    onStep: (step) => (step === 'frozen' ? onFrozen() : undefined),
  });
  hosts.push(host);
  const { consistency, consistencyCode, consistencyReason } = await host.takePoint({
    machineUuid: guest.uuid,
    pointId: `p${++pointCount}`,
    excludedDisks: [],
    consistency: 'application-or-file-system',
  });
  return { consistency, code: consistencyCode, reason: consistencyReason };
}

/** Gives the guest a freeze hook; '' takes it away. */
async function setHook(script: string): Promise<void> {
  const path = '/etc/qemu/fsfreeze-hook.d/moody';
  await guest.writeFile(path, `#!/bin/sh\n${script}\n`);
  await guest.exec(['/bin/chmod', script === '' ? '644' : '755', path]);
}

const notFrozen = () => until('the guest is not frozen', async () => !(await guest.isFrozen()));

describe('a guest', () => {
  it('whose freeze hook fails is backed up crash-consistent, and is not frozen', async () => {
    await setHook('[ "$1" = thaw ]');
    expect(await takePoint()).toEqual({
      consistency: 'crash',
      code: 'UserErrorFsFreezeHookFailed',
      reason: expect.stringMatching(/hook/),
    });
    expect(await guest.isFrozen()).toBe(false);
    await setHook('');
    expect(await takePoint()).toEqual({ consistency: 'file-system', code: undefined, reason: undefined });
  });

  it('whose freeze hangs is backed up crash-consistent, and thawed when it freezes after all', async () => {
    await setHook('[ "$1" = thaw ] || sleep 45');
    expect(await takePoint()).toMatchObject({
      consistency: 'crash',
      code: 'GuestAgentSnapshotTaskStatusError',
    });
    expect(await guest.state()).toBe('running');
    await guest.waitForAgent();
    await notFrozen();
    await setHook('');
    // The one who kept thawing has noted it: the next point freezes again.
    await until('the thaw is noted', async () => (await takePoint()).consistency === 'file-system');
    expect(await guest.isFrozen()).toBe(false);
  });

  it('whose scripts succeed around the freeze gives application-consistent points, and says which failed', async () => {
    const [host] = hosts;
    if (host === undefined) throw new Error('no host yet');
    expect(await host.reportAgent(guest.uuid)).toMatchObject({
      status: 'ready',
      version: expect.stringMatching(/^\d/),
      canFreeze: true,
      fileAccess: true,
      freezeHooks: 'enabled',
      scripts: false,
    });
    const path = '/etc/qemu/fsfreeze-hook.d/holdfast-freeze-hook';
    expect(await host.installFreezeHook(guest.uuid)).toEqual({ path, left: [] });
    expect(await takePoint()).toMatchObject({ consistency: 'file-system', code: undefined }); // nothing to run

    await guest.exec(['/bin/mkdir', '-p', '/etc/azure']);
    const put = async (file: string, text: string, mode: string) => {
      await guest.writeFile(file, text);
      await guest.exec(['/bin/chmod', mode, file]);
    };
    const mark = (word: string) => `#!/bin/sh\necho ${word}-mark >>/mnt/vda/marks; sync\n`;
    await put('/etc/azure/pre', mark('before'), '700');
    await put('/etc/azure/post', mark('after'), '700');
    const configure = (continueBackupOnFailure: boolean) => {
      const scripts = { preScriptLocation: '/etc/azure/pre', postScriptLocation: '/etc/azure/post' };
      const config = {
        pluginName: 'ScriptRunner',
        ...scripts,
        continueBackupOnFailure,
        fsFreezeEnabled: true,
      };
      return put('/etc/azure/VMSnapshotScriptPluginConfig.json', JSON.stringify(config), '600');
    };
    await configure(true);
    expect(await takePoint()).toEqual({ consistency: 'application', code: undefined, reason: undefined });
    const content = (await contentOfPoint(host, guest.uuid, `p${pointCount}`)).get('vda');
    expect([content?.includes('before-mark'), content?.includes('after-mark')]).toEqual([true, false]);
    expect(await guest.isFrozen()).toBe(false);
    expect(await host.reportAgent(guest.uuid)).toMatchObject({ freezeHooks: 'holdfast', scripts: true });

    await put('/etc/azure/post', '#!/bin/sh\nexit 3\n', '700');
    expect(await takePoint()).toMatchObject({
      consistency: 'file-system',
      code: 'Post-ScriptExecutionFailed',
    });
    await put('/etc/azure/pre', '#!/bin/sh\nexit 4\n', '700');
    expect(await takePoint()).toMatchObject({
      consistency: 'file-system',
      code: 'Pre-ScriptExecutionFailed',
    });
    await configure(false);
    await expect(takePoint()).rejects.toMatchObject({ code: 'Pre-ScriptExecutionFailed' });
    expect(await guest.isFrozen()).toBe(false);
    await guest.exec(['/bin/rm', path]);
    expect(await takePoint()).toMatchObject({
      consistency: 'file-system',
      code: 'UserErrorFreezeHookMissing',
    });
    await guest.exec(['/bin/rm', '/etc/azure/VMSnapshotScriptPluginConfig.json']);
  });

  it('that is switched off and on while it is frozen is backed up crash-consistent, and comes back unfrozen', async () => {
    const before = alerts.length;
    const point = await takePoint(async () => {
      await guest.destroy();
      await guest.start();
    });
    expect(point).toMatchObject({
      consistency: 'crash',
      code: 'ExtensionFailedTimeoutVMNetworkUnresponsive',
    });
    await guest.waitForBoot(2);
    await guest.waitForAgent();
    expect(await guest.isFrozen()).toBe(false);
    expect(alerts.slice(before).filter((code) => code !== 'UserErrorGuestNotThawed')).toEqual([]);
    await until('the thaw is noted', async () => (await takePoint()).consistency === 'file-system');
  });

  it('that reboots while it is frozen is backed up crash-consistent, and comes back unfrozen', async () => {
    const before = alerts.length;
    const boots = (await guest.consoleLog()).split('lab: ready').length;
    // By itself, as a kernel does that panics: the QEMU stays, and its agent is one that knows of no freeze.
    await setHook('[ "$1" = thaw ] || (usleep 500000; busybox reboot -n -f) </dev/null >/dev/null 2>&1 &');
    expect(await takePoint(() => guest.waitForBoot(boots))).toMatchObject({
      consistency: 'crash',
      code: 'ExtensionFailedTimeoutVMNetworkUnresponsive',
    });
    expect(await guest.state()).toBe('running');
    await guest.waitForAgent();
    expect(await guest.isFrozen()).toBe(false);
    expect(alerts.slice(before).filter((code) => code !== 'UserErrorGuestNotThawed')).toEqual([]);
    await until('the thaw is noted', async () => (await takePoint()).consistency === 'file-system');
    expect((await guest.exec(['/bin/cat', '/proc/mounts'])).stdout).toMatch(/\/mnt\/vda ext4 rw/);
  });

  it('that is paused, without its agent, or off is backed up crash-consistent, each with its reason', async () => {
    await guest.pause();
    expect(await takePoint()).toMatchObject({ consistency: 'crash', code: 'UserErrorVmPaused' });
    expect(await guest.state()).toBe('paused');
    await guest.resume();
    await guest.waitForAgent();

    const { stdout } = await guest.exec(['/bin/sh', '-c', 'echo $PPID']);
    // Not awaited: what kills the agent gets no answer.
    await lab
      .virsh(
        'qemu-agent-command',
        guest.uuid,
        JSON.stringify({
          execute: 'guest-exec',
          arguments: { path: '/bin/kill', arg: ['-9', stdout.trim()] },
        }),
      )
      .catch(() => {});
    expect(await takePoint()).toMatchObject({
      consistency: 'crash',
      code: 'UserErrorGuestAgentStatusUnavailable',
    });
    await guest.destroy();
    expect(await takePoint()).toMatchObject({ consistency: 'crash', code: 'AzureVmOffline' });
    await hosts[0]?.releaseMachine(guest.uuid);
    expect(await overlaysIn(lab)).toEqual([]);
  });
});
