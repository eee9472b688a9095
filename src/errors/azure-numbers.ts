import type { ErrorCode } from './catalogue.ts';

/** Azure gives its codes a number, too, and publishes few of them. */
const azureNumbers: ReadonlyMap<string, number> = new Map<ErrorCode, number>([
  ['ResourceNotFound', 320_001],
  ['AzureVmOffline', 380_008],
  ['UserErrorJobSuccessfullyCancelled', 400_158],
]);

/** The number that Azure's clients find beside a code; 0 where none is known. */
export function azureNumberOf(code: string): number {
  return azureNumbers.get(code) ?? 0;
}
