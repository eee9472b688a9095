/** Speed over the last half minute, and what it says about the time left. */
export interface RateMeter {
  /** Notes the running total at `nowMs`, milliseconds of a monotonic clock. */
  add(totalBytes: number, nowMs: number): void;
  /** Undefined until there is enough to tell. */
  bytesPerSecond(): number | undefined;
  /** Whole seconds until `totalBytes`, undefined while the speed is unknown or nothing moves. */
  remainingSeconds(totalBytes: number): number | undefined;
}

const windowMs = 30_000;
/** A shorter look than this says nothing yet. */
const minimumSpanMs = 2_000;

export function createRateMeter(): RateMeter {
  const samples: { bytes: number; at: number }[] = [];
  const bytesPerSecond = () => {
    const first = samples[0];
    const last = samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < minimumSpanMs) return undefined;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  };
  return {
    add(bytes, at) {
      samples.push({ bytes, at });
      while (samples.length > 2 && at - (samples[1]?.at ?? at) >= windowMs) samples.shift();
    },
    bytesPerSecond,
    remainingSeconds(total) {
      const rate = bytesPerSecond();
      const last = samples.at(-1);
      if (rate === undefined || rate <= 0 || last === undefined) return undefined;
      return Math.max(0, Math.ceil((total - last.bytes) / rate));
    },
  };
}
