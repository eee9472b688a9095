/** Work that nobody waits for until the service stops. */
export class BackgroundWork {
  readonly #underWay = new Set<Promise<void>>();

  /** @param work must never reject: there is nobody to hear of it */
  add(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Resolves when none is running any more, also none that was added meanwhile. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}
