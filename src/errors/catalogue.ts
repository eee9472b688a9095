import { accessCodes } from './access-codes.ts';
import { apiCodes } from './api-codes.ts';
import { clientCodes } from './client-codes.ts';
import { guestCodes } from './guest-codes.ts';
import { machineCodes } from './machine-codes.ts';
import { protectionCodes } from './protection-codes.ts';
import { serviceCodes } from './service-codes.ts';
import { storeCodes } from './store-codes.ts';

/** What is the same for every occurrence of an error code. The sentence itself is written where it happens. */
export interface CatalogueEntry {
  /** HTTP status of the API's answer. Never 5xx for a permanent refusal: Azure's clients retry those. */
  status: number;
  /** What the reader should do about it. */
  action: string;
  /** Whether trying the same thing later can succeed with nobody having changed anything. */
  retryable: boolean;
}

/** Every code Holdfast can answer with, in one place; the sections only keep the file readable. */
export const errorCatalogue = {
  ...storeCodes,
  ...machineCodes,
  ...guestCodes,
  ...protectionCodes,
  ...accessCodes,
  ...serviceCodes,
  ...clientCodes,
  ...apiCodes,
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** Whether a text, from a database or another process, is a code of this catalogue. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCatalogue, text);
}
