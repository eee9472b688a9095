import { inVault, type PointRow } from '../catalog/index.ts';
import type { ExistingPoint, PointBasis, RetainedPoint, RuleName } from '../protection/index.ts';

/** What a point is kept by, as its row has it. */
export function basisOf({ basis_json: json }: Pick<PointRow, 'basis_json'>): PointBasis {
  const { takenAt, tags, retainUntil } = JSON.parse(json) as {
    takenAt: string;
    tags: { rule: RuleName; until: string }[];
    retainUntil?: string;
  };
  return {
    takenAt: Temporal.Instant.from(takenAt),
    tags: tags.map(({ rule, until }) => ({ rule, until: Temporal.Instant.from(until) })),
    ...(retainUntil !== undefined && { retainUntil: Temporal.Instant.from(retainUntil) }),
  };
}

/** A point as the rules see it, whatever becomes of its policy. */
export function existingPoint(row: PointRow): ExistingPoint {
  return {
    pointId: row.point_id,
    takenAt: Temporal.Instant.from(row.taken_at),
    basis: basisOf(row),
    inSnapshot: row.in_snapshot === 1,
    inVault: row.in_vault === inVault.yes,
    ...(row.promised_until !== null && { promisedUntil: Temporal.Instant.from(row.promised_until) }),
    ...(row.soft_deleted_until !== null && {
      softDeletedUntil: Temporal.Instant.from(row.soft_deleted_until),
    }),
    ...(row.deleted_by_person === 1 && { deletedByPerson: true }),
    ...(row.damaged === 1 && { damaged: true }),
  };
}

/** A point as the rules see it under the policy in force. */
export function retainedPoint(row: PointRow): RetainedPoint {
  const { basis: _, ...point } = existingPoint(row);
  return { ...point, expiresAt: Temporal.Instant.from(row.expires_at) };
}
