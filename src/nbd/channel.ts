import { connect, type Socket } from 'node:net';
import { Intake, type Reading } from './intake.ts';
import { NbdError } from './nbd-error.ts';

/** Where a server listens. */
export type NbdAddress = { path: string } | { host: string; port: number };

const scratchBytes = 256 * 1024;
/** From this many missing bytes on, the socket reads right into the buffer that wants them. */
const directBytes = 16 * 1024;

/**
 * A connection on which one {@link Reading} after the other consumes what the server sends. Large payloads are read by
 * the kernel right into the buffer that the reading wants filled.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #scratch = new Uint8Array(scratchBytes);
  #target: Uint8Array;
  #leftover: Uint8Array = new Uint8Array(0);
  #intake: Intake<unknown> | undefined;
  #settle: { resolve: (value: never) => void; reject: (error: unknown) => void } | undefined;
  #failure: unknown;
  #isConnected = false;
  readonly #connected = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();

  constructor(address: NbdAddress) {
    this.#target = this.#scratch;
    this.#socket = connect({
      ...address,
      noDelay: true,
      onread: {
        buffer: () => {
          this.#target = this.#intake?.directTarget(directBytes) ?? this.#scratch;
          return this.#target;
        },
        callback: (length) => {
          this.#received(length);
          return true;
        },
      },
    });
    this.#connected.promise.catch(() => {}); // who waits for it hears of it; a failure before that is kept
    this.#socket.once('connect', () => {
      this.#isConnected = true;
      this.#connected.resolve();
    });
    this.#socket.once('error', (cause: NodeJS.ErrnoException) => {
      const kind = this.#isConnected ? 'lost' : 'unreachable';
      const what = this.#isConnected ? 'lost the connection to' : "can't connect to";
      this.fail(new NbdError(kind, `${what} the NBD server: ${cause.message}`, { cause }));
    });
    this.#socket.once('end', () => this.fail(new NbdError('lost', 'the NBD server closed the connection')));
    this.#socket.once('close', () => {
      this.fail(new NbdError('lost', 'the connection to the NBD server was closed'));
      this.#closed.resolve();
    });
  }

  connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** Lets `reading` consume what arrives until it returns. Rejects when it throws or the connection fails. */
  converse<T>(reading: Reading<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#failure !== undefined) {
      reject(this.#failure);
      return promise;
    }
    try {
      this.#settle = { resolve, reject };
      this.#intake = new Intake(reading);
      const early = this.#leftover;
      this.#leftover = new Uint8Array(0);
      this.#feed(this.#intake, early);
    } catch (error) {
      this.fail(error);
    }
    return promise;
  }

  /** The bytes are not copied: leave them as they are until the server has answered. */
  send(...parts: readonly Uint8Array[]): void {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** Ends the connection at once; a conversation under way fails with `error`. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#connected.reject(error);
    this.#settle?.reject(error);
    this.#settle = undefined;
    this.#intake = undefined;
    this.#socket.destroy();
  }

  /** Sends what is still to be sent, then ends the connection; cuts it off after `timeoutMs`. */
  async end(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.destroy(), timeoutMs);
    this.#socket.end();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  #received(length: number): void {
    const intake = this.#intake;
    try {
      if (this.#target !== this.#scratch) {
        // The buffer belongs to the conversation under way; one that has failed meanwhile no longer cares.
        intake?.filled(length);
        if (intake?.result !== undefined) this.#conclude(intake);
      } else if (intake === undefined) {
        this.#keep(this.#scratch.subarray(0, length));
      } else {
        this.#feed(intake, this.#scratch.subarray(0, length));
      }
    } catch (error) {
      this.fail(error);
    }
  }

  #feed(intake: Intake<unknown>, bytes: Uint8Array): void {
    const rest = intake.push(bytes);
    if (intake.result === undefined) return;
    this.#keep(rest);
    this.#conclude(intake);
  }

  #conclude(intake: Intake<unknown>): void {
    this.#intake = undefined;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.resolve(intake.result?.value as never);
  }

  /** Bytes between two conversations. The server has nothing to say then, so there is little room for them. */
  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#leftover.length + bytes.length > 2 * scratchBytes) {
      throw new NbdError('protocol', 'the NBD server sent data that nobody asked for');
    }
    this.#leftover = Buffer.concat([this.#leftover, bytes]);
  }
}
