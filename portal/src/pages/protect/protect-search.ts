import { oneOf, textIn } from '../../parts/search.ts';
import { type SubType, subTypes } from './candidates.ts';

export interface ProtectSearch {
  group?: string | undefined;
  vault?: string | undefined;
  type?: SubType | undefined;
  policy?: string | undefined;
}

export function readProtectSearch(raw: Record<string, unknown>): ProtectSearch {
  return {
    group: textIn(raw, 'group'),
    vault: textIn(raw, 'vault'),
    type: oneOf(
      raw,
      'type',
      subTypes.map(([type]) => type),
    ),
    policy: textIn(raw, 'policy'),
  };
}
