import type { Socket } from 'node:net';

/** Reads a socket piece by piece, as many bytes at a time as are asked for. For one reader. */
export class SocketReader {
  readonly #socket: Socket;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    const wake = () => this.#wake?.();
    socket.on('readable', wake);
    for (const event of ['end', 'close'] as const)
      socket.once(event, () => {
        this.#ended = true;
        wake();
      });
  }

  /** The next `length` bytes; undefined when the other side left before it sent them all. */
  async take(length: number): Promise<Buffer | undefined> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      // What came before the end can still be read; a shorter rest is of no use.
      const bytes = this.#socket.destroyed ? null : (this.#socket.read(length) as Buffer | null);
      if (bytes !== null && bytes.length === length) return bytes;
      if (this.#ended || this.#socket.destroyed) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** Takes bytes and forgets them. False when the other side left before. */
  async skip(length: number): Promise<boolean> {
    for (let left = length; left > 0; ) {
      const bytes = await this.take(Math.min(left, skipBytes));
      if (bytes === undefined) return false;
      left -= bytes.length;
    }
    return true;
  }
}

const skipBytes = 64 * 1024;
