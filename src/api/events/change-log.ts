import { randomBytes } from 'node:crypto';

/** Changes that somebody who comes back can still be told of. */
const mostKept = 1000;

/** The latest changes with their numbers, so that a listener that was cut off goes on where it was. */
export class ChangeLog<Change> {
  /** Another one after every start: numbers begin anew then. */
  readonly #era = randomBytes(6).toString('hex');
  readonly #kept: Change[] = [];
  #last = 0;

  /** The id of the newest change. */
  get position(): string {
    return this.#idOf(this.#last);
  }

  /** @returns its id */
  add(change: Change): string {
    this.#kept.push(change);
    if (this.#kept.length > mostKept) this.#kept.shift();
    this.#last += 1;
    return this.position;
  }

  /** What came after a change, with ids; undefined where that is not known any more, or the id is none of ours. */
  since(id: string): { id: string; change: Change }[] | undefined {
    const [era, text = ''] = id.split('-');
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    const missed = this.#last - number;
    if (era !== this.#era || !(missed >= 0 && missed <= this.#kept.length)) return undefined;
    return this.#kept
      .slice(this.#kept.length - missed)
      .map((change, i) => ({ id: this.#idOf(number + 1 + i), change }));
  }

  #idOf(number: number): string {
    return `${this.#era}-${number}`;
  }
}
