import { isHoldfastError } from '../errors/index.ts';
import type { HostClock, HostLog } from './host-context.ts';

const firstPauseMs = 2_000;
const longestPauseMs = 30_000;
/** Then the next backup, or the next start of the service, tries again. */
const giveUpMs = 24 * 60 * 60_000;

/**
 * Thaws guests that could not be thawed at once: an agent that was busy when it was asked to freeze may do so long
 * after everybody has stopped waiting. Tries until it is confirmed, the VM is gone, or somebody else has thawed it.
 */
export class ThawKeeper implements AsyncDisposable {
  readonly #running = new Map<string, { stop: AbortController; done: Promise<void> }>();
  readonly #clock: HostClock;
  readonly #log: HostLog;
  /** Thaws the VM and says whether that is confirmed. */
  readonly #thaw: (uuid: string, signal: AbortSignal) => Promise<boolean>;
  readonly #onThawed: (uuid: string) => void;
  #closed = false;

  /** @param onThawed told of each guest that is known not to be frozen any more */
  constructor(
    clock: HostClock,
    log: HostLog,
    thaw: (uuid: string, signal: AbortSignal) => Promise<boolean>,
    onThawed: (uuid: string) => void = () => {},
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#thaw = thaw;
    this.#onThawed = onThawed;
  }

  /** From now on, until {@link release}. Asking twice is asking once. */
  keep(uuid: string): void {
    if (this.#closed || this.#running.has(uuid)) return;
    const stop = new AbortController();
    const done = this.#try(uuid, stop.signal).finally(() => {
      if (this.#running.get(uuid)?.stop === stop) this.#running.delete(uuid);
    });
    this.#running.set(uuid, { stop, done });
  }

  /** The guest is known to be thawed. */
  release(uuid: string): void {
    this.#running.get(uuid)?.stop.abort();
    this.#running.delete(uuid);
    this.#onThawed(uuid);
  }

  async #try(uuid: string, signal: AbortSignal): Promise<void> {
    const started = this.#clock.monotonicMs();
    let pauseMs = firstPauseMs;
    while (this.#clock.monotonicMs() - started < giveUpMs) {
      try {
        await this.#clock.sleep(pauseMs, signal);
      } catch {
        return;
      }
      pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
      try {
        if (await this.#thaw(uuid, signal)) {
          this.#log.info({ vm: uuid }, 'the guest is thawed now');
          this.#onThawed(uuid);
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isHoldfastError(error, 'UserErrorVmNotFoundV2')) return this.#onThawed(uuid);
        this.#log.warn({ vm: uuid, err: error }, "a guest's thaw could not be tried");
      }
    }
    this.#log.error({ vm: uuid }, 'the guest could not be thawed; thaw it by hand');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const running = [...this.#running.values()];
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ done }) => done));
  }
}
