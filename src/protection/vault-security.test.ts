import { describe, expect, it } from 'vitest';
import { type BackupPolicy, defaultPolicy } from './policy.ts';
import {
  type Immutability,
  judgeImmutability,
  judgeSoftDelete,
  judgeVaultDeletion,
  reductionsOf,
  refuseReductions,
  refuseRemoval,
  type SoftDelete,
  securityOfNewVault,
} from './vault-security.ts';

const now = Temporal.Instant.from('2026-01-01T00:00:00Z');

it('starts a vault with soft delete for 14 days, and not immutable', () => {
  expect(securityOfNewVault).toEqual({
    immutability: 'Disabled',
    softDelete: { state: 'Enabled', days: 14 },
  });
});

describe('immutability', () => {
  it.each<[Immutability, Immutability, boolean]>([
    ['Disabled', 'Disabled', true],
    ['Disabled', 'Unlocked', true],
    ['Disabled', 'Locked', false],
    ['Unlocked', 'Disabled', true],
    ['Unlocked', 'Unlocked', true],
    ['Unlocked', 'Locked', true],
    ['Locked', 'Disabled', false],
    ['Locked', 'Unlocked', false],
    ['Locked', 'Locked', true],
  ])('from %s to %s: %s', (from, to, allowed) => {
    expect(judgeImmutability(from, to).allowed).toBe(allowed);
  });

  it('keeps points until they expire, and says until when', () => {
    const later = now.add({ nanoseconds: 1 });
    for (const immutability of ['Unlocked', 'Locked'] as const) {
      const security = { ...securityOfNewVault, immutability };
      expect(refuseRemoval(security, 'it', later, now)?.message).toContain(`it must be kept until ${later}`);
      expect(refuseRemoval(security, 'it', now, now)).toBeUndefined();
      expect(refuseRemoval(security, 'it', undefined, now)).toBeUndefined();
    }
    expect(refuseRemoval(securityOfNewVault, 'it', later, now)).toBeUndefined();
  });
});

describe('a shorter retention', () => {
  const on = { format: 'Daily', days: [1], lastDay: false } as const;
  const full: BackupPolicy = {
    ...defaultPolicy,
    retention: {
      daily: { count: 30 },
      weekly: { count: 12, days: ['Sunday'] },
      monthly: { count: 60, on },
      yearly: { count: 10, on, months: ['January'] },
    },
  };
  const { daily, weekly, monthly } = full.retention;

  it('is named rule by rule', () => {
    expect(reductionsOf(full, full)).toEqual([]);
    const less: BackupPolicy = {
      ...full,
      retention: { daily: { count: 29 }, ...(weekly && { weekly }), monthly: { count: 59, on } },
    };
    expect(reductionsOf(full, less)).toEqual([
      'daily points would be kept for 29 instead of 30 days',
      'monthly points would be kept for 59 instead of 60 months',
      'yearly points would be kept no longer',
    ]);
    expect(reductionsOf(less, full)).toEqual([]);
    // Also one that kept but a single one.
    const yearly = (count: number): BackupPolicy => ({
      ...full,
      retention: { ...less.retention, yearly: { count, on, months: ['January'] } },
    });
    expect(reductionsOf(yearly(1), less)).toEqual(['yearly points would be kept no longer']);
    expect(reductionsOf(yearly(2), yearly(1))).toEqual([
      'yearly points would be kept for 1 instead of 2 years',
    ]);
  });

  it('is no other schedule, no shorter time of snapshots, and no other choice of days', () => {
    const other: BackupPolicy = {
      ...full,
      schedule: { frequency: 'Daily', time: '03:00' },
      instantRetentionDays: 1,
      retention: { ...full.retention, weekly: { count: 12, days: ['Monday'] } },
    };
    expect(reductionsOf(full, other)).toEqual([]);
  });

  it('is refused in immutable vaults only', () => {
    const less: BackupPolicy = {
      ...full,
      retention: { ...(daily && { daily }), ...(monthly && { monthly }) },
    };
    expect(refuseReductions({ ...securityOfNewVault, immutability: 'Locked' }, full, less)?.code).toBe(
      'UserErrorOperationDeniedOnImmutableItem',
    );
    expect(refuseReductions(securityOfNewVault, full, less)).toBeUndefined();
  });
});

describe('soft delete', () => {
  const enabled: SoftDelete = { state: 'Enabled', days: 14 };
  const always: SoftDelete = { state: 'AlwaysON', days: 14 };
  it.each([
    [13, false],
    [14, true],
    [180, true],
    [181, false],
    [14.5, false],
  ])('for %d days: %s', (days, allowed) => {
    expect(judgeSoftDelete(enabled, { state: 'Enabled', days }).allowed).toBe(allowed);
    expect(judgeSoftDelete(always, { state: 'AlwaysON', days }).allowed).toBe(allowed);
  });

  it("can be made to stay on for ever, which can't be taken back, and is never off", () => {
    expect(judgeSoftDelete(enabled, always).allowed).toBe(true);
    for (const [from, to] of [
      [always, enabled],
      [enabled, { state: 'Disabled', days: 14 }],
      [always, { state: 'Disabled', days: 14 }],
    ] as const)
      expect(judgeSoftDelete(from, to)).toMatchObject({
        refusals: [{ code: 'UserErrorSoftDeleteAlwaysOn' }],
      });
  });

  it('keeps the vault as long as what it holds', () => {
    expect(judgeVaultDeletion('v1', 0, []).allowed).toBe(true);
    expect(judgeVaultDeletion('v1', 2, [])).toMatchObject({
      refusals: [{ message: "Vault 'v1' protects 2 items." }],
    });
    expect(judgeVaultDeletion('v1', 1, [{ name: 'web', purgeAt: now }])).toMatchObject({
      refusals: [
        { message: "Vault 'v1' protects 1 item." },
        { message: `Vault 'v1' has soft-deleted items: 'web' until ${now}.` },
      ],
    });
  });
});
