import { virtualMachine } from '../../../../src/api/client/browser.ts';
import { oneOf, textIn } from '../../parts/search.ts';

export const protectionStates = virtualMachine.shape.properties.shape.protection.shape.state
  .options satisfies readonly string[];
export type MachineState = (typeof protectionStates)[number];

export interface MachineSearch {
  name?: string | undefined;
  state?: MachineState | undefined;
}

export function readMachineSearch(raw: Record<string, unknown>): MachineSearch {
  return { name: textIn(raw, 'name'), state: oneOf(raw, 'state', protectionStates) };
}
