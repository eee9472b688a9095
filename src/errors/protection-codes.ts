/** Codes of the rules of protection: policies, states, what may not be deleted. See {@link CatalogueEntry}. */
export const protectionCodes = {
  BMSUserErrorInvalidPolicyInput: {
    status: 400,
    action: 'Correct the named fields of the policy and save it again; nothing was changed.',
    retryable: false,
  },
  UserErrorPolicyTypeChangeNotAllowed: {
    status: 409,
    action: 'Choose an Enhanced policy; a VM that is under one stays under one.',
    retryable: false,
  },
  UserErrorExtendedZoneNeedsEnhancedPolicy: {
    status: 409,
    action: 'Choose an Enhanced policy: VMs in extended zones take no other.',
    retryable: false,
  },
  UserErrorVmNotSupportedForCrashConsistentBackup: {
    status: 409,
    action:
      'Give this VM a policy that freezes the guest. If a policy was edited: put it back, give its unsupported VMs another one, and edit it again.',
    retryable: false,
  },
  BMSUserErrorConflictingProtectionOperation: {
    status: 409,
    action: 'Wait until the running operation has ended, then try again.',
    retryable: true,
  },
  UserErrorOperationDeniedOnImmutableItem: {
    status: 400,
    action: 'Leave the data until it expires; an immutable vault gives nothing up before.',
    retryable: false,
  },
  UserErrorImmutabilityLocked: {
    status: 409,
    action: 'Use another vault for what may not be immutable.',
    retryable: false,
  },
  UserErrorImmutabilityNotUnlocked: {
    status: 409,
    action: 'Set immutability to Unlocked first, and to Locked when it has proven right.',
    retryable: false,
  },
  UserErrorSoftDeleteAlwaysOn: {
    status: 409,
    action: 'Leave soft delete on; the days that deleted data is kept can be set from 14 to 180.',
    retryable: false,
  },
  UserErrorItemSoftDeleted: {
    status: 409,
    action: 'Undelete the item first; its protection is stopped then, and can be resumed.',
    retryable: false,
  },
  UserErrorItemNotSoftDeleted: {
    status: 409,
    action: 'Nothing is left to do: only soft-deleted items can be undeleted, and only they are purged.',
    retryable: false,
  },
  UserErrorItemBeingPurged: {
    status: 409,
    action: 'Nothing is left to do: the period in which it could be undeleted is over.',
    retryable: false,
  },
  UserErrorProtectionActive: {
    status: 409,
    action: 'Change the policy of the item instead; only stopped or suspended protection can be resumed.',
    retryable: false,
  },
  UserErrorRecoveryPointSoftDeleted: {
    status: 409,
    action: 'Undelete the recovery point first: "holdfast recovery-point undelete".',
    retryable: false,
  },
  UserErrorLastRecoveryPoint: {
    status: 409,
    action: "Let another backup complete first; or stop protection and delete the item's data.",
    retryable: false,
  },
  BMSUserErrorVaultDeletionNotAllowed: {
    status: 409,
    action: 'Stop the protection of its items and delete their data first.',
    retryable: false,
  },
} as const;
