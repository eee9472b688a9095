import { ApiError } from '../api/client/index.ts';
import { type ErrorCode, HoldfastError } from '../errors/index.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { type Look, paint, printable } from './look.ts';

/** Azure answers with 400 to what is right in itself and forbidden by the state of the vault. */
const forbidden: readonly string[] = ['UserErrorOperationDeniedOnImmutableItem'] satisfies ErrorCode[];

/** The one place where an error becomes an exit status. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ApiError && forbidden.includes(error.code)) return exitCodes.conflict;
  if (error instanceof HoldfastError && error.status === 400) return exitCodes.usage;
  const status = error instanceof HoldfastError || error instanceof ApiError ? error.status : 500;
  if (status === 401 || status === 403) return exitCodes.notSignedIn;
  if (status === 404) return exitCodes.notFound;
  if (status === 409 || status === 412 || status === 423) return exitCodes.conflict;
  return exitCodes.error;
}

/** Code, sentence, what to do. A bug keeps its stack. */
export function failureText(error: unknown, look: Look): string {
  if (!(error instanceof HoldfastError || error instanceof ApiError)) return `${bugText(error)}\n`;
  const lines = [
    `${paint(`Error ${printable(error.code)}:`, 'bad', look)} ${printable(headOf(error.message, error.details))}`,
    ...error.details.map(({ target, message }) => printable(`  ${target}: ${message}`)),
  ];
  if (error.action !== undefined) lines.push(`What to do: ${printable(error.action)}`);
  if (error instanceof ApiError && error.requestId !== undefined)
    lines.push(paint(`Request id: ${printable(error.requestId)}`, 'dim', look));
  return `${lines.join('\n')}\n`;
}

/** A message up to the first of its details, which follow it. */
export function headOf(message: string, [first]: ApiError['details']): string {
  const at = first === undefined ? -1 : message.indexOf(`${first.target}: ${first.message}`);
  return at > 0 ? message.slice(0, at).trimEnd() : message;
}

/** The same as the API's error body; what the API sent is passed on untouched. */
export function failureJson(error: unknown): unknown {
  if (error instanceof ApiError && error.body !== undefined) return error.body;
  const known = error instanceof HoldfastError || error instanceof ApiError;
  const action = known ? error.action : undefined;
  return {
    error: {
      code: known ? error.code : 'InternalError',
      message: known ? error.message : bugText(error),
      ...(action === undefined ? {} : { additionalInfo: [{ type: 'RecommendedAction', info: { action } }] }),
    },
  };
}

function bugText(error: unknown): string {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `Error InternalError: this should not have happened, please report it.\n${what}`;
}
