/**
 * The main job of Holdfast in view: a real guest is protected, backed up twice and restored, and everything that is
 * restored is compared, byte for byte, with the layers it came from. Every step is a command a person could type.
 * Ends by staying up for a look around; `--exit` ends at once. Leaves nothing behind, however it ends.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { formatBytes, formatTable, lookOf } from '../src/cli/index.ts';
import { messageOf } from '../src/errors/index.ts';
import { run } from '../src/platform/index.ts';
import { type Lab, type LabGuest, readFileInImage, startLab } from '../tests/lab/index.ts';
import { DemoFailure, good, heading, note, type Stage, startStage } from './stage.ts';

const vm = 'demo-web';
const vault = 'Demo';
const diskBytes = 512 * 2 ** 20;
const writtenBytes = 24 * 2 ** 20;

interface Cost {
  step: string;
  seconds: number;
  changed?: number;
  read?: number;
  stored?: number;
}
const costs: Cost[] = [];

async function timed<T>(step: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const result = await work();
  costs.push({ step, seconds: (performance.now() - from) / 1000 });
  return result;
}

interface PointAnswer {
  name: string;
  properties: {
    recoveryPointType: string;
    holdfast: { frozenMs: number; disks: { readBytes?: number; newBytes?: number; storedBytes?: number }[] };
  };
}

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.filter((arg) => arg !== '--exit');
  if (unknown.length > 0)
    throw new DemoFailure(`bin/demo takes --exit and nothing else, not ${unknown.join(' ')}`);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort(new DemoFailure(`stopped by ${signal}`)));
  }
  let lab: Lab | undefined;
  try {
    heading('A private libvirt, a guest with two disks, and a Holdfast service of their own');
    await using cleanup = new AsyncDisposableStack();
    lab = cleanup.use(await timed('start libvirt', () => startLab()));
    const guest = await timed('boot the guest', () => bootGuest(lab as Lab));
    good(`guest ${guest.name} runs in ${lab.dir}, its agent answers`);
    const stage = cleanup.use(await timed('start the service', () => startStage(stop.signal)));
    good(`service at ${stage.endpoint}`);
    await mainJob(stage, lab, guest, stop.signal);
    showCosts();
    farewell(stage, guest);
    if (!args.includes('--exit')) await stayUp(stage, stop.signal);
  } catch (error) {
    // What a Ctrl-C broke on its way is not what went wrong.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    const left = (await lab?.leftovers()) ?? [];
    if (left.length > 0) {
      console.error(`Left behind: ${left.join(', ')}`);
      process.exitCode = 1;
    }
  }
  good('everything of the demo is gone again');
}

async function bootGuest(lab: Lab): Promise<LabGuest> {
  const guest = await lab.makeGuest({
    name: vm,
    disks: [
      { target: 'vda', format: 'qcow2', sizeBytes: diskBytes },
      { target: 'vdb', format: 'raw', sizeBytes: diskBytes },
    ],
    counter: true,
    state: 'running',
  });
  await guest.waitForAgent();
  // Something to back up: what doesn't compress, what compresses well, and the same twice.
  await guest.exec(['dd', 'if=/dev/urandom', 'of=/mnt/vda/media', 'bs=1M', 'count=96', 'conv=fsync']);
  await guest.exec([
    'sh',
    '-c',
    'ls -lR / >/mnt/vdb/listing; for i in 1 2 3 4 5 6 7 8; do cat /mnt/vdb/listing >>/mnt/vdb/log; done',
  ]);
  await guest.exec(['sh', '-c', 'cp /mnt/vda/media /mnt/vdb/copy && sync']);
  return guest;
}

async function mainJob(stage: Stage, lab: Lab, guest: LabGuest, signal: AbortSignal): Promise<void> {
  const where = ['--vault', vault, '--vm', vm];
  heading('1. Connect the host and see its virtual machines');
  await stage.show('host', 'add', 'demo-host', '--uri', lab.uri);
  await stage.show('vm', 'list');

  heading('2. Create a vault and protect the VM with its default policy');
  await stage.show('vault', 'create', vault);
  await stage.show('item', 'enable', ...where);

  heading('3. First backup: snapshot, then everything to the vault');
  await timed('first backup', () => stage.show('backup', 'now', ...where));
  const first = await newestPoint(stage, where);
  noteCost(first, undefined);

  heading(`4. The guest goes on and writes ${formatBytes(writtenBytes)} to each disk`);
  for (const target of ['vda', 'vdb']) {
    const megabytes = writtenBytes / 2 ** 20;
    await guest.exec([
      'dd',
      'if=/dev/urandom',
      `of=/mnt/${target}/report`,
      'bs=1M',
      `count=${megabytes}`,
      'conv=fsync',
    ]);
  }
  good('written and synced in the guest');

  heading('5. Second backup: only what changed');
  await timed('second backup', () => stage.show('backup', 'now', ...where));
  const second = await newestPoint(stage, where);
  noteCost(second, 2 * writtenBytes);
  await stage.show('recovery-point', 'list', ...where);

  heading('6. Restore the first point as a new VM, from the vault');
  const vmDirectory = join(lab.dir, 'restored-vm');
  await timed('restore as a VM', () =>
    stage.show(
      'restore',
      'vm',
      ...where,
      '--recovery-point',
      first.name,
      '--tier',
      'vault',
      '--name',
      `${vm}-restored`,
      '--directory',
      vmDirectory,
    ),
  );
  heading('7. Restore the second point as disks, from the vault');
  const disksDirectory = join(lab.dir, 'restored-disks');
  await timed('restore as disks', () =>
    stage.show(
      'restore',
      'disks',
      ...where,
      '--recovery-point',
      second.name,
      '--tier',
      'vault',
      '--to',
      disksDirectory,
    ),
  );

  heading('8. Proof: every restored disk against the frozen layers it came from');
  await timed('compare', () => prove(lab, guest, vmDirectory, disksDirectory));
  heading('9. The restored VM boots, with a new identity and its network unplugged');
  await timed('boot the restored VM', () => bootRestored(lab, `${vm}-restored`));
  heading('10. And the snapshot is there at once: the second point as a VM without copying anything first');
  await timed('instant restore', () =>
    stage.show(
      'restore',
      'vm',
      ...where,
      '--recovery-point',
      second.name,
      '--name',
      `${vm}-instant`,
      '--directory',
      join(lab.dir, 'instant-vm'),
      '--start',
    ),
  );
  signal.throwIfAborted();
}

async function newestPoint(stage: Stage, where: readonly string[]): Promise<PointAnswer> {
  const [point] = (await stage.ask('recovery-point', 'list', ...where)) as PointAnswer[];
  if (point === undefined) throw new DemoFailure('the backup left no recovery point');
  return point;
}

function noteCost(point: PointAnswer, changed: number | undefined): void {
  const { disks, frozenMs } = point.properties.holdfast;
  const sum = (pick: (disk: (typeof disks)[number]) => number | undefined) =>
    disks.reduce((total, disk) => total + (pick(disk) ?? 0), 0);
  const cost = costs.at(-1);
  if (cost === undefined) return;
  cost.read = sum((disk) => disk.readBytes);
  cost.stored = sum((disk) => disk.storedBytes);
  if (changed !== undefined) cost.changed = changed;
  good(
    `${point.properties.recoveryPointType}, guest frozen for ${frozenMs} ms, ${formatBytes(cost.read)} read, ${formatBytes(cost.stored)} stored`,
  );
}

/** Layers of a disk below the active one, newest first: the frozen images of the points, newest first. */
async function frozenImages(guest: LabGuest, lab: Lab, target: string): Promise<string[]> {
  const list = await lab.virsh('domblklist', guest.uuid);
  const active = new RegExp(`^ *${target} +(/.*)$`, 'm').exec(list)?.[1];
  if (active === undefined) throw new DemoFailure(`the guest has no disk ${target}`);
  const { stdout } = await run(['qemu-img', 'info', '-U', '--backing-chain', '--output=json', active], {
    timeoutMs: 30_000,
  });
  return (JSON.parse(stdout) as { filename: string }[]).slice(1).map((image) => image.filename);
}

async function prove(lab: Lab, guest: LabGuest, vmDirectory: string, disksDirectory: string): Promise<void> {
  for (const target of ['vda', 'vdb']) {
    const [second, first] = await frozenImages(guest, lab, target);
    if (first === undefined || second === undefined) throw new DemoFailure(`${target} has too few layers`);
    for (const [what, frozen, directory] of [
      ['first point, as VM', first, vmDirectory],
      ['second point, as disks', second, disksDirectory],
    ] as const) {
      const name = (await readdir(directory)).find((file) => file.includes(`-${target}.`));
      if (name === undefined) throw new DemoFailure(`${directory} has no image of ${target}`);
      const restored = join(directory, name);
      await run(['qemu-img', 'compare', '-U', frozen, restored], { timeoutMs: 120_000 });
      const counter = (await readFileInImage(restored, '/counter')).toString().trim();
      good(`${what}: ${target} is identical; the guest's counter on it stands at ${Number(counter)}`);
    }
  }
}

async function bootRestored(lab: Lab, name: string): Promise<void> {
  await lab.virsh('start', name);
  const deadline = performance.now() + 120_000;
  for (;;) {
    try {
      await lab.virsh('qemu-agent-command', name, '{"execute":"guest-ping"}', '--timeout', '5');
      break;
    } catch (error) {
      if (performance.now() > deadline) throw new DemoFailure(`${name} did not come up: ${messageOf(error)}`);
    }
    await new Promise((done) => setTimeout(done, 500));
  }
  good(`${name} is up, its agent answers`);
  await lab.virsh('destroy', name);
}

function showCosts(): void {
  heading('What it cost');
  const bytes = (value: number | undefined) => (value === undefined ? '' : formatBytes(value));
  console.log(
    formatTable(
      [
        { header: 'STEP' },
        { header: 'SECONDS', align: 'right' },
        { header: 'CHANGED', align: 'right' },
        { header: 'READ', align: 'right' },
        { header: 'STORED', align: 'right' },
      ],
      costs.map((cost) => [
        cost.step,
        cost.seconds.toFixed(1),
        bytes(cost.changed),
        bytes(cost.read),
        bytes(cost.stored),
      ]),
      lookOf({ stdout: process.stdout, stderr: process.stderr, env: process.env }, process.stdout),
    ),
  );
}

function farewell(stage: Stage, guest: LabGuest): void {
  heading('Where to go next');
  const link = stage.firstRunLink();
  if (link !== undefined) {
    note(
      'The portal, in a browser on this machine (it warns of the certificate, which was made for the demo):',
    );
    console.log(`  ${link}`);
  }
  note('Look around in another terminal, as the same user:');
  for (const command of [
    'vm list',
    `recovery-point list --vault ${vault} --vm ${guest.name}`,
    `job list --vault ${vault}`,
  ]) {
    console.log(`  bin/holdfast ${command} --home ${stage.home}`);
  }
  note('Protect your own machines: README.md, "Use it". How it works: docs/architecture.md.');
}

async function stayUp(stage: Stage, signal: AbortSignal): Promise<void> {
  console.log(`\n${styleText('bold', 'Everything stays up until Ctrl-C.')}`);
  const asked = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  if (!signal.aborted) await Promise.race([asked, stage.lost]);
  heading('Ending the demo');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`\n${styleText('red', 'The demo failed:')} ${messageOf(error)}`);
  if (!(error instanceof DemoFailure) && error instanceof Error) console.error(error.stack);
  process.exitCode = 1;
}
