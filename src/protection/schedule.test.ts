import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueRun, nextRun, previousRun } from './schedule.ts';

const berlin = { frequency: 'Daily', time: '02:30', timeZone: 'Europe/Berlin' } as const;
const at = (text: string) => Temporal.Instant.from(text);

describe('schedule', () => {
  it('runs once on the day the clocks go forward, when the skipped time would have come', () => {
    expect(nextRun(berlin, at('2026-03-28T12:00:00Z')).toString()).toBe('2026-03-29T01:30:00Z');
    expect(nextRun(berlin, at('2026-03-29T01:30:00Z')).toString()).toBe('2026-03-30T00:30:00Z');
  });

  it('runs once on the day the clocks go back, at the first of the two times', () => {
    expect(nextRun(berlin, at('2026-10-24T12:00:00Z')).toString()).toBe('2026-10-25T00:30:00Z');
    expect(nextRun(berlin, at('2026-10-25T00:30:00Z')).toString()).toBe('2026-10-26T01:30:00Z');
  });

  it('finds one run due after an outage of any length, and none twice', () => {
    const handled = at('2026-01-01T12:00:00Z');
    const due = dueRun(berlin, handled, at('2026-01-20T12:00:00Z'));
    expect(due?.toString()).toBe('2026-01-20T01:30:00Z');
    expect(due && dueRun(berlin, due, at('2026-01-20T12:00:00Z'))).toBeUndefined();
  });

  it('has exactly one run per local day, and previous and next agree', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }),
        (timeZone, hour, minute, seconds) => {
          const time = `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
          const schedule = { frequency: 'Daily' as const, time, timeZone };
          const after = Temporal.Instant.fromEpochMilliseconds(seconds * 1000);
          const next = nextRun(schedule, after);
          expect(Temporal.Instant.compare(next, after)).toBe(1);
          expect(previousRun(schedule, next).equals(next)).toBe(true);
          const following = nextRun(schedule, next);
          const days = next
            .toZonedDateTimeISO(timeZone)
            .toPlainDate()
            .until(following.toZonedDateTimeISO(timeZone).toPlainDate()).days;
          expect(days).toBe(1);
        },
      ),
    );
  });
});
