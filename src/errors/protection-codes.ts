/** Codes of the rules of protection: policies, states, what may not be deleted. See {@link CatalogueEntry}. */
export const protectionCodes = {
  BMSUserErrorInvalidPolicyInput: {
    status: 400,
    action: 'Correct the named fields of the policy and save it again; nothing was changed.',
    retryable: false,
  },
} as const;
