/**
 * The vocabulary of failure: one catalogue of codes, one error type. Every room may import it; it imports nothing.
 */
export { azureNumberOf } from './azure-numbers.ts';
export { type CatalogueEntry, type ErrorCode, errorCatalogue, isErrorCode } from './catalogue.ts';
export {
  type ErrorDetail,
  HoldfastError,
  type HoldfastErrorOptions,
  isHoldfastError,
  messageOf,
} from './holdfast-error.ts';
