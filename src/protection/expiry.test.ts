import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expiryOf, expiryOfSnapshotOnly, expiryUnder, onDemandBasis, scheduledBasis } from './expiry.ts';
import { type BackupPolicy, defaultPolicy, type RetentionRules } from './policy.ts';
import { type RetentionTag, retentionTags, tagsOn } from './tags.ts';
import { anyMoment, anyPolicy } from './testing/arbitraries.ts';
import { timeZoneOf } from './time-zones.ts';

const at = (text: string) => Temporal.Instant.from(text);
const first = { format: 'Daily', days: [1], lastDay: false } as const;
const classic: BackupPolicy = {
  ...defaultPolicy,
  retention: {
    daily: { count: 30 },
    weekly: { count: 104, days: ['Sunday'] },
    monthly: { count: 120, on: first },
    yearly: { count: 99, on: first, months: ['January'] },
  },
};

describe('the end that rules give', () => {
  it.each<[RetentionTag[], string, string]>([
    [['Daily'], '2026-03-03T20:00:00Z', 'Daily'],
    [['Daily', 'Weekly'], '2028-01-30T20:00:00Z', 'Weekly'],
    [['Daily', 'Weekly', 'Monthly'], '2036-02-01T20:00:00Z', 'Monthly'],
    [['Daily', 'Monthly', 'Yearly'], '2125-02-01T20:00:00Z', 'Yearly'],
  ])('is that of the longest-lived of %j', (tags, expiresAt, ruleName) => {
    const expiry = expiryUnder(classic, scheduledBasis(classic, at('2026-02-01T20:00:00Z'), tags));
    expect(expiry).toEqual({ expiresAt: at(expiresAt), ruleName });
  });

  it('is the later one even where a rule of shorter rhythm keeps longer, and the longer rhythm names a tie', () => {
    const long = { ...classic, retention: { ...classic.retention, daily: { count: 9999 } } };
    expect(expiryOf(long, at('2026-02-01T20:00:00Z'), undefined, ['Daily', 'Monthly']).ruleName).toBe(
      'Daily',
    );
    const tie = {
      ...classic,
      retention: { daily: { count: 14 }, weekly: { count: 2, days: ['Sunday'] } },
    } as const;
    expect(expiryOf(tie, at('2026-02-01T20:00:00Z'), undefined, ['Daily', 'Weekly']).ruleName).toBe('Weekly');
  });

  it('goes by the calendar of the zone: the same time of day, the last day of a shorter month', () => {
    const berlin = { ...classic, timeZone: 'W. Europe Standard Time' };
    expect(expiryOf(berlin, at('2026-03-01T19:00:00Z'), undefined, ['Daily']).expiresAt).toEqual(
      at('2026-03-31T18:00:00Z'),
    );
    const month = { ...classic, retention: { monthly: { count: 1, on: first } } };
    expect(expiryOf(month, at('2026-01-31T20:00:00Z'), undefined, ['Monthly']).expiresAt).toEqual(
      at('2026-02-28T20:00:00Z'),
    );
  });

  it('is found by the day a point was taken on when nothing else is known', () => {
    expect(expiryOf(classic, at('2026-01-01T20:00:00Z'), undefined)).toEqual({
      expiresAt: at('2125-01-01T20:00:00Z'),
      ruleName: 'Yearly',
    });
  });
});

describe('points that no rule marks', () => {
  const taken = at('2026-01-01T00:00:00Z');
  it('keeps a point that stayed a snapshot for the instant restore period', () => {
    expect(expiryUnder(classic, scheduledBasis(classic, taken, []))).toEqual({
      expiresAt: at('2026-01-03T00:00:00Z'),
      ruleName: 'InstantRestore',
    });
    expect(expiryOfSnapshotOnly(classic, taken, {})).toEqual(at('2026-01-03T00:00:00Z'));
  });

  it('keeps an on-demand point for 30 days or as its caller chose, whatever becomes of the policy', () => {
    const usual = onDemandBasis(classic, taken, undefined);
    const chosen = onDemandBasis(classic, taken, at('2026-06-01T00:00:00Z'));
    for (const policy of [classic, { ...classic, retention: { daily: { count: 7 } } }]) {
      expect(expiryUnder(policy, usual)).toEqual({
        expiresAt: at('2026-01-31T00:00:00Z'),
        ruleName: undefined,
      });
      expect(expiryUnder(policy, chosen).expiresAt).toEqual(at('2026-06-01T00:00:00Z'));
    }
  });
});

describe('an edit of the policy', () => {
  const basis = scheduledBasis(classic, at('2026-01-04T20:00:00Z'), ['Daily', 'Weekly']);
  const under = (retention: RetentionRules) => expiryUnder({ ...classic, retention }, basis);

  it('acts on existing points of the rule that is edited', () => {
    expect(under({ daily: { count: 30 }, weekly: { count: 12, days: ['Sunday'] } }).expiresAt).toEqual(
      at('2026-03-29T20:00:00Z'),
    );
    expect(under({ daily: { count: 30 }, weekly: { count: 200, days: ['Sunday'] } }).expiresAt).toEqual(
      at('2029-11-04T20:00:00Z'),
    );
  });

  it('marks no existing point anew, and unmarks none', () => {
    expect(under({ ...classic.retention, weekly: { count: 104, days: ['Monday'] } }).ruleName).toBe('Weekly');
    const daily = scheduledBasis(defaultPolicy, at('2026-01-01T20:00:00Z'), ['Daily']);
    expect(expiryUnder(classic, daily)).toEqual({ expiresAt: at('2026-01-31T20:00:00Z'), ruleName: 'Daily' });
  });

  it('leaves points of a rule that is taken away what was promised to them', () => {
    expect(under({ daily: { count: 30 } })).toEqual({
      expiresAt: at('2028-01-02T20:00:00Z'),
      ruleName: 'Weekly',
    });
  });
});

/** A policy, a moment and the rules that mark a point of that moment's day; those of its own rhythm if none. */
const anyPoint = fc.tuple(anyPolicy(), anyMoment).map(([policy, takenAt]) => {
  const date = takenAt.toZonedDateTimeISO(timeZoneOf(policy)).toPlainDate();
  return { policy, takenAt, basis: scheduledBasis(policy, takenAt, tagsOn(policy.retention, date)) };
});

describe('for any policy and any moment', () => {
  it('ends no point before any of its rules lets go of it', () => {
    fc.assert(
      fc.property(anyPoint, ({ policy, takenAt, basis }) => {
        const { expiresAt } = expiryUnder(policy, basis);
        const zoned = takenAt.toZonedDateTimeISO(timeZoneOf(policy));
        const { daily, weekly, monthly, yearly } = policy.retention;
        const ends = {
          Daily: zoned.add({ days: daily?.count ?? 0 }),
          Weekly: zoned.add({ days: (weekly?.count ?? 0) * 7 }),
          Monthly: zoned.add({ months: monthly?.count ?? 0 }),
          Yearly: zoned.add({ months: (yearly?.count ?? 0) * 12 }),
          InstantRestore: zoned.add({ days: policy.instantRetentionDays }),
        };
        for (const { rule } of basis.tags)
          expect(Temporal.Instant.compare(expiresAt, ends[rule].toInstant())).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('never ends a point sooner for a longer retention', () => {
    fc.assert(
      fc.property(
        anyPoint,
        fc.constantFrom(...retentionTags),
        fc.nat(500),
        ({ policy, basis }, tag, more) => {
          const longer = structuredClone(policy.retention);
          const rule = longer[tag.toLowerCase() as keyof RetentionRules];
          if (rule !== undefined) rule.count += more;
          const before = expiryUnder(policy, basis).expiresAt;
          const after = expiryUnder({ ...policy, retention: longer }, basis).expiresAt;
          expect(Temporal.Instant.compare(after, before)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  it('gives every point its expiry back when an edit is edited back', () => {
    fc.assert(
      fc.property(anyPoint, anyPolicy(), ({ policy, basis }, edited) => {
        const before = expiryUnder(policy, basis);
        expiryUnder(edited, basis);
        expect(expiryUnder(policy, basis)).toEqual(before);
        // What was promised is what the policy of that day gives.
        for (const { rule, until } of basis.tags)
          expect(expiryUnder(policy, { ...basis, tags: [{ rule, until }] }).expiresAt).toEqual(until);
      }),
    );
  });
});
