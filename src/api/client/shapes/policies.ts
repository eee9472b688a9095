/** Backup policies of a vault. */
import { z } from 'zod';
import { resource } from './common.ts';

const retentionRule = z.object({
  retentionTimes: z.array(z.string()),
  retentionDuration: z.object({
    count: z.number(),
    durationType: z.enum(['Days', 'Weeks', 'Months', 'Years']),
  }),
});

const retentionDays = {
  retentionScheduleFormatType: z.enum(['Daily', 'Weekly']),
  retentionScheduleDaily: z
    .object({ daysOfTheMonth: z.array(z.object({ date: z.number(), isLast: z.boolean() })) })
    .optional(),
  retentionScheduleWeekly: z
    .object({ daysOfTheWeek: z.array(z.string()), weeksOfTheMonth: z.array(z.string()) })
    .optional(),
};

/** `properties` are read by the rules, which name everything that is wrong with them. */
export const policyRequest = z.looseObject({
  properties: z.unknown(),
  /** As it was read: refused if somebody has changed the policy since. The header If-Match does the same. */
  eTag: z.string().max(100).nullish(),
});
export type PolicyRequest = z.infer<typeof policyRequest>;

export const policy = z.object({
  ...resource,
  /** Another one after every edit. */
  eTag: z.string().optional(),
  properties: z.object({
    backupManagementType: z.literal('AzureIaasVM'),
    policyType: z.enum(['V1', 'V2']),
    instantRpRetentionRangeInDays: z.number(),
    timeZone: z.string(),
    schedulePolicy: z.discriminatedUnion('schedulePolicyType', [
      z.object({
        schedulePolicyType: z.literal('SimpleSchedulePolicy'),
        scheduleRunFrequency: z.enum(['Daily', 'Weekly']),
        scheduleRunDays: z.array(z.string()).optional(),
        scheduleRunTimes: z.array(z.string()),
      }),
      z.object({
        schedulePolicyType: z.literal('SimpleSchedulePolicyV2'),
        scheduleRunFrequency: z.enum(['Hourly', 'Daily', 'Weekly']),
        hourlySchedule: z
          .object({
            interval: z.number(),
            scheduleWindowStartTime: z.string(),
            scheduleWindowDuration: z.number(),
          })
          .optional(),
        dailySchedule: z.object({ scheduleRunTimes: z.array(z.string()) }).optional(),
        weeklySchedule: z
          .object({ scheduleRunDays: z.array(z.string()), scheduleRunTimes: z.array(z.string()) })
          .optional(),
      }),
    ]),
    retentionPolicy: z.object({
      retentionPolicyType: z.literal('LongTermRetentionPolicy'),
      dailySchedule: retentionRule.optional(),
      weeklySchedule: retentionRule.extend({ daysOfTheWeek: z.array(z.string()) }).optional(),
      monthlySchedule: retentionRule.extend(retentionDays).optional(),
      yearlySchedule: retentionRule
        .extend({ monthsOfYear: z.array(z.string()), ...retentionDays })
        .optional(),
    }),
    snapshotConsistencyType: z.literal('OnlyCrashConsistent').optional(),
    protectedItemsCount: z.number(),
  }),
});
export type Policy = z.infer<typeof policy>;

/** What a policy would do in a span of time, if every backup succeeds: one that is there, or one that is not saved yet. */
export const policyPreviewRequest = z.strictObject({
  properties: z.strictObject({
    policyName: z.string().max(150).optional(),
    /** Those of the policy, where it is not the saved one. */
    policyProperties: z.unknown().optional(),
    /** Default: now. */
    from: z.iso.datetime({ offset: true }).optional(),
    /** Default: two weeks later. */
    to: z.iso.datetime({ offset: true }).optional(),
    /** The item has no point yet. Default false. */
    firstBackup: z.boolean().optional(),
  }),
});
export type PolicyPreviewRequest = z.infer<typeof policyPreviewRequest>;

export const policyPreview = z.object({
  points: z.array(
    z.object({
      time: z.string(),
      /** The day, in the time zone of the policy, that retention rules go by. */
      date: z.string(),
      inVault: z.boolean(),
      tags: z.array(z.string()),
      /** The one that decides when it expires. */
      ruleName: z.string().optional(),
      expiryTime: z.string(),
      snapshotExpiryTime: z.string(),
    }),
  ),
});
export type PolicyPreview = z.infer<typeof policyPreview>;

/** What an edit of a policy would do, before it is saved. */
export const policyEditPreviewRequest = z.strictObject({
  properties: z.strictObject({ policyName: z.string().max(150), policyProperties: z.unknown() }),
});
export type PolicyEditPreviewRequest = z.infer<typeof policyEditPreviewRequest>;

export const policyEditPreview = z.object({
  members: z.array(
    z.object({
      vm: z.string(),
      itemId: z.string(),
      /** `fail`: it stays as it is, and its job says so. */
      effect: z.enum(['configure', 'leave', 'fail']),
      reasons: z.array(z.string()),
      longer: z.number(),
      shorter: z.number(),
      same: z.number(),
      /** What the next clean-up would do because of the edit. */
      softDeletedAtOnce: z.number(),
      removedAtOnce: z.number(),
      undeletedAtOnce: z.number(),
      /** Points whose expiry would change, oldest first; the list is cut after 100 for each VM and 1000 in all. */
      changed: z.array(
        z.object({
          recoveryPoint: z.string(),
          time: z.string(),
          before: z.string(),
          after: z.string(),
          atOnce: z.enum(['nothing', 'soft-delete', 'remove', 'undelete']),
          reason: z.string(),
        }),
      ),
    }),
  ),
});
export type PolicyEditPreview = z.infer<typeof policyEditPreview>;
