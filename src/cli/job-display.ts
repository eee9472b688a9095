import type { Job } from '../api/client/index.ts';
import type { Output } from './io.ts';
import type { Look } from './look.ts';
import { jobChanges, jobFrame, jobResult } from './progress.ts';

/**
 * Shows a job while it runs: on a terminal a picture that is drawn over, elsewhere a plain line per change.
 * What else is printed meanwhile goes through {@link JobDisplay.note}, or the picture would be drawn over it.
 */
export class JobDisplay {
  readonly #output: Output;
  readonly #look: Look;
  readonly #now: () => number;
  #shown: Job | undefined;
  #height = 0;

  constructor(output: Output, look: Look, now: () => number = Date.now) {
    this.#output = output;
    this.#look = look;
    this.#now = now;
  }

  /** Draws the job as it is now. */
  update(job: Job): void {
    if (this.#look.live) {
      const lines = jobFrame(job, this.#look, this.#now());
      this.#output.write(`${this.#erase()}${lines.join('\n')}\n`);
      this.#height = lines.length;
    } else {
      for (const line of jobChanges(this.#shown, job)) this.#output.write(`${line}\n`);
    }
    this.#shown = job;
  }

  /** Prints a line of its own. */
  note(text: string): void {
    this.#output.write(`${this.#erase()}${text}\n`);
  }

  /** Draws the job for the last time and says how it ended. */
  end(job: Job): void {
    this.update(job);
    this.#height = 0;
    this.#output.write(`${jobResult(job, this.#look).join('\n')}\n`);
  }

  /** Moves up to the first line of the picture and clears from there. */
  #erase(): string {
    const height = this.#height;
    this.#height = 0;
    return height === 0 ? '' : `\u001b[${height}A\u001b[J`;
  }
}
