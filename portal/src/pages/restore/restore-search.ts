import { oneOf, textIn } from '../../parts/search.ts';

export const restoreSteps = [
  ['point', 'Restore point'],
  ['target', 'Restore configuration'],
  ['review', 'Review + restore'],
] as const;
export type RestoreStep = (typeof restoreSteps)[number][0];

export interface RestoreSearch {
  step?: RestoreStep | undefined;
  /** Name of the recovery point. */
  point?: string | undefined;
}

export function readRestoreSearch(raw: Record<string, unknown>): RestoreSearch {
  return {
    step: oneOf(
      raw,
      'step',
      restoreSteps.map(([step]) => step),
    ),
    point: textIn(raw, 'point'),
  };
}
