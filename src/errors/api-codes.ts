/** Codes of the REST protocol itself, as Azure Resource Manager names them. See {@link CatalogueEntry}. */
export const apiCodes = {
  RequestContentTooLarge: {
    status: 413,
    action: 'Send less at once: no request needs more than 1 MiB.',
    retryable: false,
  },
  UnsupportedMediaType: {
    status: 415,
    action: 'Send the body as application/json.',
    retryable: false,
  },
  MissingApiVersionParameter: {
    status: 400,
    action: 'Add the query parameter api-version, for example api-version=2026-07-01.',
    retryable: false,
  },
  InvalidApiVersionParameter: {
    status: 400,
    action: 'Give api-version as a date of 2016-06-01 or later, for example 2026-07-01.',
    retryable: false,
  },
  TooManyRequests: {
    status: 429,
    action: 'Wait as long as the header Retry-After says, then send the request again.',
    retryable: true,
  },
  BMSUserErrorInvalidSourceResourceId: {
    status: 400,
    action:
      'Name the VM as /subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{VM}.',
    retryable: false,
  },
  ResourceGroupNotFound: {
    status: 404,
    action: 'Check the name; list the resource groups.',
    retryable: false,
  },
} as const;
