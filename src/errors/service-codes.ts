/** Codes of the service itself: catalog, jobs, API. See {@link CatalogueEntry} for the fields. */
export const serviceCodes = {
  HomeInUse: {
    status: 409,
    action: 'Stop the other Holdfast service that uses this home, or choose another with --home.',
    retryable: true,
  },
  HomeNotUsable: {
    status: 409,
    action: 'Choose another directory with --home, or give this one to the user the service runs as.',
    retryable: false,
  },
  HomeFull: {
    status: 409,
    action: "Free space on the file system of the service's home (or enlarge it), then try again.",
    retryable: true,
  },
  AddressNotUsable: {
    status: 409,
    action: 'Choose another address with --listen, or stop what uses this one.',
    retryable: false,
  },
  TlsCertificateNotUsable: {
    status: 409,
    action:
      'Put a certificate and its key, both PEM, at cert.pem and key.pem in the directory tls of the home, or remove both to have a pair made.',
    retryable: false,
  },
  CatalogDamaged: {
    status: 409,
    action:
      'Move catalog.db and the files beside it (catalog.db-wal, catalog.db-shm) away, and put back a copy of catalog.db that was made while the service was stopped. The stores are not affected: docs/store-format.md says how to restore from one without a catalog.',
    retryable: false,
  },
  CatalogVersionNotSupported: {
    status: 409,
    action: 'Start the Holdfast version that last used this home, or a newer one.',
    retryable: false,
  },
  CatalogElsewhere: {
    status: 409,
    action:
      'Start without --database. Where the server has another address now, write it into the file "database" of the home; a catalog is not moved from one database to another.',
    retryable: false,
  },
  CatalogInUse: {
    status: 409,
    action:
      'Stop the other service, or give this one a database of its own. One that died is out of the way after a minute.',
    retryable: true,
  },
  CatalogNotReachable: {
    status: 503,
    action:
      'Check that the PostgreSQL server runs and takes this address, user and password, then start again.',
    retryable: true,
  },
  CatalogLocaleNotSupported: {
    status: 409,
    action: 'Make the database anew: createdb --template=template0 --locale=C --encoding=UTF8 NAME.',
    retryable: false,
  },
  VaultLocked: {
    status: 409,
    action: 'Put its key file back, or unlock the vault with its recovery key: holdfast vault key unlock.',
    retryable: false,
  },
  ResourceNotFound: { status: 404, action: 'Check the name; list what exists.', retryable: false },
  InvalidInput: { status: 400, action: 'Correct the input and try again.', retryable: false },
  ResourceAmbiguous: {
    status: 409,
    action: 'Rename one of the VMs, or remove one of the hosts and add it again in another resource group.',
    retryable: false,
  },
  ResourceInUse: { status: 409, action: 'Remove what still uses it first.', retryable: false },
  PreconditionFailed: {
    status: 412,
    action: 'Read it again, and make the change anew.',
    retryable: false,
  },
  ResourceAlreadyExists: { status: 409, action: 'Choose another name.', retryable: false },
  OperationNotSupported: {
    status: 400,
    action: 'See "What it does not do yet" in README.md.',
    retryable: false,
  },
  ServiceStopping: { status: 503, action: 'Try again when the service is back.', retryable: true },
  JobNotCancellable: {
    status: 409,
    action: 'Wait for the job to end.',
    retryable: false,
  },
  UserErrorJobSuccessfullyCancelled: {
    status: 409,
    action: 'Start it again when you want.',
    retryable: false,
  },
  JobInterrupted: {
    status: 409,
    action: 'Start the operation again; nothing of the interrupted one is left behind.',
    retryable: true,
  },
  UserErrorBackupOperationInProgress: {
    status: 409,
    action: 'Wait until the running backup has taken its snapshot, then try again.',
    retryable: true,
  },
  UserErrorVmAlreadyProtected: {
    status: 409,
    action:
      'Use that vault (holdfast vm show names it to who may see it): a VM can be in one vault only. To go to another, stop protection there and delete the data; what is soft-deleted stands in no way.',
    retryable: false,
  },
  UserErrorProtectedVmStillExists: {
    status: 409,
    action:
      'Give the new VM another name; if it replaces the old one, delete the old one first and the new one goes on with its recovery points.',
    retryable: false,
  },
  UserErrorVaultAndVmInDifferentRegions: {
    status: 409,
    action: "Use a vault in the VM's region, or create one there.",
    retryable: false,
  },
  UserErrorProtectionNotActive: {
    status: 409,
    action: 'Resume the protection of the item first: "holdfast item resume".',
    retryable: false,
  },
  UserErrorBcmDatasourceNotPresent: {
    status: 409,
    action: 'Resume the protection of the item with "holdfast item resume", then back up.',
    retryable: false,
  },
  UserErrorInstantRpNotFound: {
    status: 409,
    action: 'Restore from the vault instead: leave out --tier, or say --tier vault.',
    retryable: false,
  },
  UserErrorTargetPathExists: {
    status: 409,
    action: 'Choose an empty directory, or move the files away; a restore never overwrites.',
    retryable: false,
  },
  InternalError: {
    status: 500,
    action: "Look for the error in the service's log and report it with the request id.",
    retryable: true,
  },
} as const;
