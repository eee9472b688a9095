/** A clock that stands still until it is moved, forwards or backwards. */
export class MovableClock {
  #now = Temporal.Instant.from('2026-11-21T06:00:00Z');

  now(): Temporal.Instant {
    return this.#now;
  }

  move(hours: number): void {
    this.#now = this.#now.add({ hours });
  }
}
