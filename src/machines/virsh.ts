import { randomBytes } from 'node:crypto';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../errors/index.ts';
import { RunError, type RunOptions, type RunResult, run } from '../platform/index.ts';
import type { PowerState } from './types.ts';

/** How long a call that only asks may take. libvirt itself gives up on a locked domain after 30 s. */
const askTimeoutMs = 45_000;
/** Starting a domain may have to wait for storage. */
const startTimeoutMs = 120_000;

/** What `virsh dominfo` says. */
export interface DomainStatus {
  uuid: string;
  name: string;
  state: PowerState;
  /** libvirt's own word for the state: `running`, `in shutdown`, ... */
  stateWord: string;
  persistent: boolean;
  managedSave: boolean;
}

/** A block job as libvirt reports it; `end` is 0 until it knows the amount of work. */
export interface BlockJob {
  type: string;
  cur: number;
  end: number;
}

/** Of domains in one run of virsh: its commands are one argument, of which Linux takes 128 KiB. */
const definitionsAtOnce = 200;
/** What virsh says of a domain that went since it was listed, or that has no persistent definition. */
const notThere = /Domain not found|failed to get domain|transient/i;

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Domain ids reach virsh as arguments: nothing but a UUID may. */
export function checkUuid(uuid: string): string {
  const lower = uuid.toLowerCase();
  if (uuidPattern.test(lower)) return lower;
  throw new HoldfastError('UserErrorVmNotFoundV2', `'${uuid}' is not the UUID of a virtual machine.`, {
    target: uuid,
  });
}

/**
 * URIs whose host is this machine. Others need files touched on the far side too, and are refused for now.
 * @throws HostTransportNotSupported
 */
export function checkUri(uri: string): string {
  if (/^qemu(\+unix)?:\/\/\/(system|session)(\?|$)/.test(uri)) return uri;
  throw new HoldfastError(
    'HostTransportNotSupported',
    `The libvirt URI '${uri}' does not name QEMU on this machine.`,
    { target: uri },
  );
}

/**
 * `virsh` with argument arrays, a time limit on every call, and the C locale. Failures of single commands are thrown
 * as {@link RunError}; a libvirt that does not answer as `HostUnreachable`.
 */
export class Virsh {
  readonly uri: string;
  readonly #scratch: string;

  /** `scratch`: an existing private directory for the XML files that virsh reads. */
  constructor(uri: string, scratch: string) {
    this.uri = checkUri(uri);
    this.#scratch = scratch;
  }

  async call(args: readonly string[], options: Partial<RunOptions> = {}): Promise<string> {
    return (await this.#run(args, options)).stdout;
  }

  async #run(args: readonly string[], options: Partial<RunOptions>): Promise<RunResult> {
    try {
      return await run(['virsh', '-q', '-c', this.uri, ...args], { timeoutMs: askTimeoutMs, ...options });
    } catch (error) {
      throw this.#translate(error, args);
    }
  }

  #translate(error: unknown, args: readonly string[]): unknown {
    if (!(error instanceof RunError)) return error;
    if (error.kind === 'missing')
      return new HoldfastError('HostToolMissing', 'The program virsh is not installed on the host.', {
        cause: error,
      });
    const said = error.result.stderr;
    if (/failed to connect to the hypervisor|Cannot recv data|End of file while reading data/i.test(said))
      return new HoldfastError(
        'HostUnreachable',
        `libvirt at ${this.uri} does not answer: ${reason(error)}`,
        {
          cause: error,
          target: this.uri,
        },
      );
    if (/Domain not found|failed to get domain/i.test(said)) {
      const uuid = args.find((arg) => uuidPattern.test(arg)) ?? '';
      return notFound(uuid, error);
    }
    return error;
  }

  async uuids(filters: readonly string[] = [], signal?: AbortSignal): Promise<string[]> {
    const output = await this.call(['list', '--all', '--uuid', ...filters], signalOf(signal));
    return output
      .split('\n')
      .map((line) => line.trim().toLowerCase())
      .filter((line) => uuidPattern.test(line));
  }

  async status(uuid: string, signal?: AbortSignal): Promise<DomainStatus> {
    return statusFrom(uuid, await this.call(['dominfo', checkUuid(uuid)], signalOf(signal)));
  }

  /**
   * State and both definitions in one call: what is looked at before and after every step. The persistent one with its
   * secrets.
   */
  async look(
    uuid: string,
    signal?: AbortSignal,
  ): Promise<{ status: DomainStatus; xml: string; inactiveXml: string }> {
    const checked = checkUuid(uuid);
    const commands = ['dominfo', 'dumpxml', 'dumpxml --inactive --security-info'];
    const [info = '', xml = '', inactive = ''] = await this.#each(
      commands.map((command) => `${command} ${checked}`),
      signal,
    );
    if (info === '' || xml === '') throw notFound(checked);
    const status = statusFrom(checked, info);
    // A transient domain has the one definition.
    const inactiveXml =
      status.persistent && inactive !== ''
        ? inactive
        : await this.xml(checked, { inactive: status.persistent, secure: true, ...(signal && { signal }) });
    return { status, xml, inactiveXml };
  }

  /** The definition as it is now; `inactive`: as it will be at the next start; `secure`: with its secrets. */
  async xml(
    uuid: string,
    options: { inactive?: boolean; secure?: boolean; signal?: AbortSignal } = {},
  ): Promise<string> {
    const flags = [
      ...(options.inactive ? ['--inactive'] : []),
      ...(options.secure ? ['--security-info'] : []),
    ];
    return this.call(['dumpxml', checkUuid(uuid), ...flags], signalOf(options.signal));
  }

  /**
   * Both definitions of many domains, live and persistent, in as few calls as can be. A domain that is gone by now has
   * none, a transient one no persistent one.
   * @returns by UUID
   */
  async definitions(uuids: readonly string[], signal?: AbortSignal): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>();
    for (let at = 0; at < uuids.length; at += definitionsAtOnce) {
      const some = uuids.slice(at, at + definitionsAtOnce).map(checkUuid);
      const commands = some.flatMap((uuid) => [`dumpxml ${uuid}`, `dumpxml ${uuid} --inactive`]);
      const outputs = await this.#each(commands, signal);
      for (const [index, uuid] of some.entries())
        found.set(
          uuid,
          outputs.slice(2 * index, 2 * index + 2).filter((xml) => xml !== ''),
        );
    }
    return found;
  }

  /** Several commands in one run, and what each printed: '' where its domain or definition is not there. */
  async #each(commands: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
    const mark = `holdfast-${randomBytes(12).toString('hex')}`;
    // The status would be that of the last command: what failed has to be read from what was said.
    const script = commands.map((command) => `${command}; echo ${mark}`).join('; ');
    const { stdout, stderr } = await this.#run([script], signalOf(signal));
    const unexpected = stderr.split('\n').some((line) => line.startsWith('error:') && !notThere.test(line));
    const outputs = stdout.split(mark).map((text) => text.trim());
    if (!unexpected && outputs.length === commands.length + 1) return outputs.slice(0, -1);
    const result = { stdout: '', stderr, code: 1, signal: null };
    throw this.#translate(new RunError('failed', ['virsh', script.slice(0, 200)], result), []);
  }

  async define(xml: string, signal?: AbortSignal): Promise<void> {
    await this.#withFile(xml, (path) => this.call(['define', path], signalOf(signal)));
  }

  async undefine(uuid: string): Promise<void> {
    await this.call(['undefine', checkUuid(uuid), '--keep-nvram']);
  }

  async start(uuid: string, signal?: AbortSignal): Promise<void> {
    await this.call(['start', checkUuid(uuid)], { timeoutMs: startTimeoutMs, ...signalOf(signal) });
  }

  /** Asks the guest to shut down; returns at once. */
  async shutdown(uuid: string, signal?: AbortSignal): Promise<void> {
    await this.call(['shutdown', checkUuid(uuid)], signalOf(signal));
  }

  /** Whether it is paused because a disk of it could not be read or written. */
  async isPausedByError(uuid: string): Promise<boolean> {
    return /^paused \(I\/O error\)/.test(await this.call(['domstate', checkUuid(uuid), '--reason']));
  }

  async resume(uuid: string, signal?: AbortSignal): Promise<void> {
    await this.call(['resume', checkUuid(uuid)], signalOf(signal));
  }

  async destroy(uuid: string): Promise<void> {
    await this.call(['destroy', checkUuid(uuid)]);
  }

  /** One atomic snapshot over the disks named in `xml`, onto files that exist already. */
  async snapshot(uuid: string, xml: string, timeoutMs: number): Promise<void> {
    const flags = ['--disk-only', '--atomic', '--reuse-external', '--no-metadata'];
    await this.#withFile(xml, (path) =>
      this.call(['snapshot-create', checkUuid(uuid), path, ...flags], { timeoutMs }),
    );
  }

  /** Names of the libvirt snapshots or checkpoints of the domain. */
  async names(uuid: string, kind: 'snapshot' | 'checkpoint', signal?: AbortSignal): Promise<string[]> {
    const output = await this.call([`${kind}-list`, checkUuid(uuid), '--name'], signalOf(signal));
    return output
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  }

  async blockJob(uuid: string, disk: string, signal?: AbortSignal): Promise<BlockJob | undefined> {
    const output = await this.call(['blockjob', checkUuid(uuid), disk, '--info', '--raw'], signalOf(signal));
    const field = (name: string) => new RegExp(`^\\s*${name}=(.*)$`, 'm').exec(output)?.[1]?.trim();
    const type = field('type');
    if (type === undefined) return undefined;
    return { type, cur: Number(field('cur') ?? 0), end: Number(field('end') ?? 0) };
  }

  /** Ends the block job of a disk; one that has just ended by itself is no error. */
  async abortBlockJob(uuid: string, disk: string): Promise<void> {
    try {
      await this.call(['blockjob', checkUuid(uuid), disk, '--abort']);
    } catch (error) {
      if ((await this.blockJob(uuid, disk)) !== undefined) throw error;
    }
  }

  /** One command to the guest's agent, and what it returns. */
  async agent(
    uuid: string,
    command: string,
    timeoutSeconds: number,
    args?: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const output = await this.call(
      [
        'qemu-agent-command',
        checkUuid(uuid),
        JSON.stringify({ execute: command, ...(args && { arguments: args }) }),
        '--timeout',
        String(timeoutSeconds),
      ],
      // libvirt first waits for its own agent lock, then synchronises with the agent, then for the answer
      { timeoutMs: (timeoutSeconds + 10) * 1000, ...signalOf(signal) },
    );
    return (JSON.parse(output) as { return?: unknown }).return;
  }

  /** Paths of every file that the domain's QEMU has open as a disk image, asked of QEMU itself. */
  async openImages(uuid: string): Promise<Set<string>> {
    const query = { execute: 'query-named-block-nodes', arguments: { flat: true } };
    const output = await this.call(['qemu-monitor-command', checkUuid(uuid), JSON.stringify(query)]);
    const { return: nodes } = JSON.parse(output) as { return: { file?: string }[] };
    return new Set(nodes.flatMap((node) => (node.file === undefined ? [] : [node.file])));
  }

  async #withFile(text: string, use: (path: string) => Promise<unknown>): Promise<void> {
    const path = join(this.#scratch, `virsh-${randomBytes(6).toString('hex')}.xml.tmp`);
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    try {
      await use(path);
    } finally {
      await unlink(path);
    }
  }
}

const signalOf = (signal: AbortSignal | undefined): Partial<RunOptions> =>
  signal === undefined ? {} : { signal };

function statusFrom(uuid: string, dominfo: string): DomainStatus {
  const fields = new Map(
    dominfo.split('\n').flatMap((line) => {
      const match = /^([^:]+):\s+(.*?)\s*$/.exec(line);
      return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const];
    }),
  );
  const stateWord = fields.get('State') ?? 'no state';
  return {
    uuid: checkUuid(uuid),
    name: fields.get('Name') ?? '',
    stateWord,
    state: powerState(stateWord),
    persistent: fields.get('Persistent') === 'yes',
    managedSave: fields.get('Managed save') === 'yes',
  };
}

function notFound(uuid: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'UserErrorVmNotFoundV2',
    `The host has no virtual machine with the UUID ${uuid}.`,
    {
      cause,
      target: uuid,
    },
  );
}

function powerState(word: string): PowerState {
  if (word === 'running' || word === 'paused' || word === 'shut off' || word === 'crashed') return word;
  // `idle` is a running guest that waits; QEMU never reports it, other words are states on the way
  return word === 'idle' ? 'running' : 'other';
}

/** What virsh said about a failure, without its prefix. */
export function reason(error: unknown): string {
  if (!(error instanceof RunError)) return messageOf(error);
  const said = error.result.stderr
    .trim()
    .replace(/^error: /gm, '')
    .replace(/\s*\n\s*/g, '; ');
  return said === '' ? error.message : said;
}

/** True where the failure leaves open whether libvirt has done, or is still doing, what was asked. */
export function isUncertain(error: unknown): boolean {
  if (error instanceof RunError) return error.kind === 'timeout' || error.result.signal !== null;
  return error instanceof HoldfastError && error.code === 'HostUnreachable';
}
