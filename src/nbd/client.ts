import { Channel, type NbdAddress } from './channel.ts';
import { type Agreement, handshake } from './handshake.ts';
import { InFlight, type InFlightLimits } from './in-flight.ts';
import { NbdError } from './nbd-error.ts';
import {
  type Command,
  commandFlags,
  commands,
  encodeRequest,
  maxRangeLength,
  transmissionFlags,
} from './protocol.ts';
import { type Pending, pendingRead, readReplies, type StatusExtent } from './replies.ts';

export interface NbdConnectOptions {
  address: NbdAddress;
  /** Default: the server's default export, the empty name. */
  exportName?: string;
  /** Meta contexts wanted for {@link NbdClient.blockStatus}; see {@link NbdClient.contexts} for those granted. */
  contexts?: readonly string[];
  /** Requests that the server may have at once; more wait here. Default 16, which is what qemu-nbd works on. */
  maxInFlight?: number;
  /** For connecting and the handshake together. Default 10 s. */
  connectTimeoutMs?: number;
  /** From sending a request to the end of its reply; beyond it the server is given up. Default 60 s. */
  requestTimeoutMs?: number;
  signal?: AbortSignal;
}

/** How long the server may take to close its side after it was told that we leave. */
const closeTimeoutMs = 5_000;

/**
 * Connects to an NBD server.
 * @throws NbdError `unreachable`, `refused`, `protocol`, `lost` or `timeout`
 */
export async function connectNbd(options: NbdConnectOptions): Promise<NbdClient> {
  options.signal?.throwIfAborted();
  const timeoutMs = options.connectTimeoutMs ?? 10_000;
  const channel = new Channel(options.address);
  const timer = setTimeout(() => {
    channel.fail(new NbdError('timeout', `no answer from the NBD server within ${timeoutMs} ms`));
  }, timeoutMs);
  const onAbort = () => channel.fail(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await channel.connected();
    const request = { exportName: options.exportName ?? '', contexts: options.contexts ?? [] };
    const agreement = await channel.converse(handshake((bytes) => channel.send(bytes), request));
    return new NbdClient(channel, agreement, {
      maxInFlight: options.maxInFlight ?? 16,
      requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    });
  } catch (error) {
    channel.fail(error);
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * One export of an NBD server. Any number of calls may be in flight; they are split to the server's limits, sent in
 * order and answered in any order. Offsets and lengths are bytes inside the export, anything else is a RangeError.
 *
 * An aborted call rejects at once, its request keeps its place until the server has answered it.
 * Every call may throw NbdError: `server` when this request failed, otherwise the connection is gone.
 */
export class NbdClient implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #agreement: Agreement;
  readonly #inFlight: InFlight;

  constructor(channel: Channel, agreement: Agreement, limits: InFlightLimits) {
    this.#channel = channel;
    this.#agreement = agreement;
    this.#inFlight = new InFlight(limits, (error) => this.#fail(error));
    const replies = readReplies(
      agreement,
      (cookie) => this.#inFlight.find(cookie),
      (cookie) => this.#inFlight.answered(cookie),
    );
    channel.converse(replies).catch((error) => this.#fail(error));
  }

  get sizeBytes(): number {
    return this.#agreement.sizeBytes;
  }

  get readOnly(): boolean {
    return (this.#agreement.flags & transmissionFlags.readOnly) !== 0;
  }

  /** Writes, zeroes, trims and block status must be aligned to this; reads are widened here. */
  get minimumBlock(): number {
    return this.#agreement.minimumBlock;
  }

  get maximumBlock(): number {
    return this.#agreement.maximumBlock;
  }

  /** Meta contexts the server has granted. */
  get contexts(): readonly string[] {
    return [...this.#agreement.contexts.values()];
  }

  /** The content from `offset`, whole. */
  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.#checkRange(offset, length);
    const block = this.minimumBlock;
    const start = offset - (offset % block);
    const end = Math.min(Math.ceil((offset + length) / block) * block, this.sizeBytes);
    const bytes = Buffer.allocUnsafeSlow(end - start); // handed out only once every byte of it was received
    await Promise.all(
      pieces(start, end - start, this.maximumBlock).map((piece) => {
        const target = bytes.subarray(piece.offset - start, piece.offset - start + piece.length);
        return this.#request(commands.read, 0, piece, pendingRead(piece.offset, target), signal);
      }),
    );
    return bytes.subarray(offset - start, offset - start + length);
  }

  /** `data` is not copied: leave it as it is. After a failure or an abort it may still be on its way. */
  async write(offset: number, data: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#checkWritable(offset, data.length);
    await Promise.all(
      pieces(offset, data.length, this.maximumBlock).map((piece) => {
        const part = data.subarray(piece.offset - offset, piece.offset - offset + piece.length);
        return this.#request(commands.write, 0, piece, plain(), signal, part);
      }),
    );
  }

  /** Makes a range read as zeros. With `noHole` the space stays allocated; otherwise the server may free it. */
  async writeZeroes(
    offset: number,
    length: number,
    options: { noHole?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    this.#checkWritable(offset, length);
    this.#checkOffered(transmissionFlags.writeZeroes, 'write zeroes');
    const flags = options.noHole === true ? commandFlags.noHole : 0;
    await Promise.all(
      pieces(offset, length, maxRangeLength).map((piece) =>
        this.#request(commands.writeZeroes, flags, piece, plain(), options.signal),
      ),
    );
  }

  /** Tells the server that the content of a range is no longer needed. What it reads as afterwards is open. */
  async trim(offset: number, length: number, signal?: AbortSignal): Promise<void> {
    this.#checkWritable(offset, length);
    this.#checkOffered(transmissionFlags.trim, 'trim');
    await Promise.all(
      pieces(offset, length, maxRangeLength).map((piece) =>
        this.#request(commands.trim, 0, piece, plain(), signal),
      ),
    );
  }

  /** When it resolves, every write that was answered before the call is on stable storage. */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#checkOffered(transmissionFlags.flush, 'flush');
    await this.#request(commands.flush, 0, { offset: 0, length: 0 }, plain(), signal);
  }

  /**
   * The state of a range, per context granted. Each list begins at `offset`, has at least one extent and may end
   * before the range does; lists of different contexts may end at different places. Ask again from there.
   */
  async blockStatus(
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, readonly StatusExtent[]>> {
    this.#checkRange(offset, length);
    this.#checkAligned(offset, length);
    if (this.#agreement.contexts.size === 0) {
      throw new NbdError('refused', 'the NBD server offers no block status');
    }
    const range = { offset, length: Math.min(length, maxRangeLength) };
    const found = new Map<number, StatusExtent[]>();
    if (length > 0) {
      const pending: Pending = { kind: 'status', length: range.length, found, error: undefined };
      await this.#request(commands.blockStatus, 0, range, pending, signal);
    }
    return new Map([...this.#agreement.contexts].map(([id, name]) => [name, found.get(id) ?? []]));
  }

  /** Leaves in the way the protocol wants it. Requests still in flight fail. */
  async close(): Promise<void> {
    if (this.#inFlight.failure !== undefined) return;
    const error = new NbdError('lost', 'the connection to the NBD server was closed by us');
    if (this.#inFlight.size > 0) {
      this.#fail(error);
      return;
    }
    this.#inFlight.fail(error);
    this.#channel.send(
      encodeRequest({ command: commands.disconnect, flags: 0, cookie: 0, offset: 0, length: 0 }),
    );
    await this.#channel.end(closeTimeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #request(
    command: Command,
    flags: number,
    range: { offset: number; length: number },
    pending: Pending,
    signal?: AbortSignal,
    data?: Uint8Array,
  ): Promise<void> {
    const send = (cookie: number) => {
      const header = encodeRequest({ command, flags, cookie, ...range });
      this.#channel.send(header, ...(data === undefined ? [] : [data]));
    };
    await this.#inFlight.run(pending, send, signal);
  }

  #fail(error: unknown): void {
    this.#inFlight.fail(error);
    this.#channel.fail(error);
  }

  #checkRange(offset: number, length: number): void {
    const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
    if (!inside || offset + length > this.sizeBytes) {
      throw new RangeError(
        `${length} bytes at ${offset} are not inside an export of ${this.sizeBytes} bytes`,
      );
    }
  }

  #checkAligned(offset: number, length: number): void {
    const block = this.minimumBlock;
    const end = offset + length;
    if (offset % block !== 0 || (end % block !== 0 && end !== this.sizeBytes)) {
      throw new RangeError(`${length} bytes at ${offset} are not aligned to the server's ${block} bytes`);
    }
  }

  #checkWritable(offset: number, length: number): void {
    this.#checkRange(offset, length);
    this.#checkAligned(offset, length);
    if (this.readOnly) throw new NbdError('refused', 'the NBD export is read-only');
  }

  #checkOffered(flag: number, what: string): void {
    if ((this.#agreement.flags & flag) === 0) {
      throw new NbdError('refused', `the NBD server does not offer ${what}`);
    }
  }
}

const plain = (): Pending => ({ kind: 'plain', error: undefined });

/** Cuts a range into requests of at most `maximum` bytes, in order. Nothing for an empty range. */
function pieces(offset: number, length: number, maximum: number): { offset: number; length: number }[] {
  const result: { offset: number; length: number }[] = [];
  for (let at = 0; at < length; at += maximum) {
    result.push({ offset: offset + at, length: Math.min(maximum, length - at) });
  }
  return result;
}
