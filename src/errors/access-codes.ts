/** Codes of signing in, and of what one may do. The first two are Azure's. See {@link CatalogueEntry} for the fields. */
export const accessCodes = {
  AuthorizationFailed: {
    status: 403,
    action: 'Ask an Owner for a role that allows it: holdfast role assign.',
    retryable: false,
  },
  LinkedAuthorizationFailed: {
    status: 403,
    action: 'Ask an Owner for a role at the resource that the request names: holdfast role assign.',
    retryable: false,
  },
  Unauthorized: {
    status: 401,
    action: 'Sign in: give the token of a client, or run the command as the user the service runs as.',
    retryable: false,
  },
  RoleAssignmentExists: {
    status: 409,
    action: 'Nothing is to be done: the principal has that role there already.',
    retryable: false,
  },
  SignInFailed: {
    status: 401,
    action: 'Check name and password; an Owner can set a new password.',
    retryable: false,
  },
  TooManyAttempts: {
    status: 429,
    action: 'Wait a quarter of an hour, then try again.',
    retryable: true,
  },
} as const;
