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

export const policy = z.object({
  ...resource,
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
    protectedItemsCount: z.number(),
  }),
});
export type Policy = z.infer<typeof policy>;
