import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isHoldfastError } from '../errors/index.ts';
import { withAgreedConsistency } from './consistency.ts';
import { describeDomain } from './domain-xml.ts';
import type { HostContext } from './host-context.ts';
import { emptyLedger } from './ledger.ts';
import type { MachineView } from './machine-view.ts';
import { sampleDomain } from './testing/sample-domain.ts';

/** How a guest behaves; what is not said is well. */
interface Guest {
  state?: 'running' | 'paused';
  agent?: 'absent' | 'silent';
  windows?: boolean;
  /** What the agent answers to a freeze: how many file systems, or an error. */
  freeze?: number | string;
  /** The VM is off from its freeze on. */
  diesFrozen?: boolean;
  /** The thaw of a freeze before is not confirmed. */
  thawOwed?: boolean;
  /** The report of its freeze hook, where scripts are configured; '': the hook is not there. */
  report?: string;
  /** Cache mode of its disks. */
  cache?: string;
}

const { uuid } = describeDomain(sampleDomain);
const config = JSON.stringify({
  preScriptLocation: '/pre',
  postScriptLocation: '/post',
  timeoutInSeconds: 7,
});

/** A host with this one guest, whose agent does as it is told; `asked` has what it was asked, with its time limit. */
function hostOf(guest: Guest) {
  const asked: string[] = [];
  let ledger = { ...emptyLedger(uuid, 'web'), thawOwed: guest.thawOwed ?? false };
  let frozen = 0;
  let off = false;
  const files = new Map<string, string>();
  const scripted = guest.report !== undefined;
  if (scripted) files.set('/etc/azure/VMSnapshotScriptPluginConfig.json', config);
  async function agent(_: string, command: string, seconds: number, args?: Record<string, unknown>) {
    asked.push(`${command} ${seconds}`);
    if (off) throw new Error('Requested operation is not valid: domain is not running');
    if (guest.agent === 'silent') throw new Error('Guest agent is not responding');
    switch (command) {
      case 'guest-get-osinfo':
        return { id: guest.windows === true ? 'mswindows' : 'debian' };
      case 'guest-fsfreeze-freeze':
        if (scripted && guest.report !== '')
          files.set('/run/holdfast/freeze-report', `run=2\nscripts=configured\n${guest.report}`);
        if (typeof guest.freeze === 'string') throw new Error(guest.freeze);
        frozen = guest.freeze ?? 2;
        return frozen;
      case 'guest-fsfreeze-thaw': {
        const thawed = frozen;
        frozen = 0;
        return thawed;
      }
      case 'guest-fsfreeze-status':
        return frozen === 0 ? 'thawed' : 'frozen';
      case 'guest-file-open':
        if (!files.has(String(args?.path))) throw new Error('No such file or directory');
        return args?.path;
      case 'guest-file-read':
        return { 'buf-b64': Buffer.from(files.get(String(args?.handle)) ?? '').toString('base64') };
      default:
        return {};
    }
  }
  const host = {
    virsh: { agent, status: async () => ({ name: 'web', state: off ? 'shut off' : 'running' }) },
    ledgers: {
      read: async () => ledger,
      update: async (_: string, change: (from: typeof ledger) => typeof ledger) => {
        ledger = change(ledger);
      },
    },
    thaws: { keep() {}, release() {} },
    clock: { monotonicMs: () => Date.now() },
    log: { error() {} },
    alert: () => expect.unreachable('nothing stays frozen'),
    step() {},
  } as unknown as HostContext;
  const domain = describeDomain(sampleDomain);
  const view = {
    status: { uuid, name: 'web', state: guest.state ?? 'running' },
    domain: {
      ...domain,
      agentChannel: guest.agent === 'absent' ? 'absent' : 'connected',
      disks: domain.disks.map((disk) => ({ ...disk, cache: guest.cache })),
    },
  } as MachineView;
  /** Takes a point whose snapshot lasts so long. @returns consistency and code, or the code of the failure */
  async function takePoint(consistency: 'application-or-file-system' | 'crash', snapshotMs = 0) {
    const taken = withAgreedConsistency(host, view, { consistency, excludedDisks: [] }, async () => {
      off = guest.diesFrozen === true;
      await vi.advanceTimersByTimeAsync(snapshotMs);
    });
    const [settled] = await Promise.allSettled([taken]);
    expect([frozen, ledger.thawOwed && guest.thawOwed !== true], 'frozen, owed a thaw').toEqual([
      off ? frozen : 0,
      false,
    ]);
    if (settled.status === 'fulfilled') {
      const { consistency: got, consistencyCode, consistencyReason } = settled.value;
      expect(consistencyReason === undefined).toBe(consistencyCode === undefined);
      return consistencyCode === undefined ? got : `${got}: ${consistencyCode}`;
    }
    if (!isHoldfastError(settled.reason)) throw settled.reason;
    return `fails: ${settled.reason.code}`;
  }
  return { takePoint, asked };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const freezeSeconds = (asked: readonly string[]) =>
  asked.find((command) => command.startsWith('guest-fsfreeze-freeze'))?.split(' ')[1];

describe('the consistency of a point', () => {
  it.each<[string, Guest, string]>([
    ['is frozen', {}, 'file-system'],
    ['is frozen through VSS', { windows: true }, 'application'],
    ['is paused', { state: 'paused' }, 'crash: UserErrorVmPaused'],
    ['has no agent', { agent: 'absent' }, 'crash: UserErrorGuestAgentStatusUnavailable'],
    ['does not answer', { agent: 'silent' }, 'crash: UserErrorGuestAgentStatusUnavailable'],
    ['may still be frozen', { thawOwed: true }, 'crash: UserErrorGuestNotThawed'],
    ['has nothing to freeze', { freeze: 0 }, 'crash: UserErrorFsFreezeFailed'],
    [
      'fails a freeze',
      { freeze: 'failed to freeze /: Input/output error' },
      'crash: UserErrorFsFreezeFailed',
    ],
    ['fails it in VSS', { windows: true, freeze: 'failed' }, 'crash: ExtensionFailedVssWriterInBadState'],
    ['fails it in a hook', { freeze: 'fsfreeze hook has failed' }, 'crash: UserErrorFsFreezeHookFailed'],
    ['has a dead mount', { freeze: 'failed to open /mnt' }, 'crash: UserErrorUnableToOpenMount'],
    ['hangs in it', { freeze: 'Guest agent is not responding' }, 'crash: GuestAgentSnapshotTaskStatusError'],
    [
      'may not freeze',
      { freeze: 'Command guest-fsfreeze-freeze has been disabled' },
      'crash: UserErrorGuestAgentCannotFreeze',
    ],
    ['dies frozen', { diesFrozen: true }, 'crash: ExtensionFailedTimeoutVMNetworkUnresponsive'],
    [
      'fails a freeze, with a disk whose writes have no order',
      { freeze: 'fsfreeze hook has failed', cache: 'unsafe' },
      'fails: UserErrorFsFreezeHookFailed',
    ],
    ['ran its scripts', { report: 'pre=ok\npost=ok' }, 'application'],
    ['ran one of two', { report: 'pre=ok\npost=none' }, 'application'],
    ['ran none', { report: 'pre=none\npost=none' }, 'file-system'],
    ['failed the first', { report: 'pre=failed 3\npost=ok' }, 'file-system: Pre-ScriptExecutionFailed'],
    ['failed the second', { report: 'pre=ok\npost=timeout' }, 'file-system: Post-ScriptTimeout'],
    ['has no hook for its scripts', { report: '' }, 'file-system: UserErrorFreezeHookMissing'],
    [
      'wants no backup when a script fails',
      { report: 'pre=failed 3\nfreeze=refused', freeze: 'fsfreeze hook has failed' },
      'fails: Pre-ScriptExecutionFailed',
    ],
  ])('of a guest that %s', async (_, guest, expected) => {
    expect(await hostOf(guest).takePoint('application-or-file-system')).toBe(expected);
  });

  it('is a crash where the policy wants no more, and the guest is not asked', async () => {
    const { takePoint, asked } = hostOf({});
    expect(await takePoint('crash')).toBe('crash');
    expect(asked).toEqual([]);
  });

  it.each([
    [false, 20],
    [true, 10],
  ])(
    'is lost when a freeze (in Windows: %s) does not hold the %i seconds it may',
    async (windows, seconds) => {
      vi.useFakeTimers();
      const well = windows ? 'application' : 'file-system';
      const point = (ms: number) => hostOf({ windows }).takePoint('application-or-file-system', ms);
      expect(await point(seconds * 1000 - 1)).toBe(well);
      expect(await point(seconds * 1000)).toBe('crash: ExtensionFailedTimeoutVMNetworkUnresponsive');
    },
  );

  it('comes of asking the guest for little, with a limit to each answer, and for the thaw until it is sure', async () => {
    const { takePoint, asked } = hostOf({});
    await takePoint('application-or-file-system');
    expect(asked).toEqual([
      'guest-ping 3',
      'guest-file-open 5',
      'guest-get-osinfo 5',
      'guest-fsfreeze-freeze 20',
      'guest-fsfreeze-thaw 10',
      'guest-fsfreeze-status 5',
      'guest-fsfreeze-thaw 10',
      'guest-fsfreeze-status 5',
    ]);
  });

  it('waits for a freeze as long as it may hold, and for the scripts before it', async () => {
    const limits = [];
    for (const guest of [{}, { windows: true }, { report: 'pre=ok\npost=ok' }]) {
      const { takePoint, asked } = hostOf(guest);
      await takePoint('application-or-file-system');
      limits.push(freezeSeconds(asked));
    }
    expect(limits).toEqual(['20', '10', '32']);
  });
});
