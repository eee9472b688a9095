/** Codes of the store. See {@link CatalogueEntry} for the fields. */
export const storeCodes = {
  StoreNotFound: {
    status: 404,
    action:
      'Check the path, and mount the file system if it is a separate one; on object storage check bucket or container, and prefix.',
    retryable: false,
  },
  StoreExists: {
    status: 409,
    action:
      'Choose another place: a vault can not take over a store that is there. docs/store-format.md says how to restore from it without Holdfast.',
    retryable: false,
  },
  StorePlaceNotEmpty: {
    status: 409,
    action: 'Name an empty directory, or one that is not there yet, for the store.',
    retryable: false,
  },
  StoreVersionNotSupported: {
    status: 409,
    action: 'Open this store with the Holdfast version that wrote it, or a newer one.',
    retryable: false,
  },
  StoreInUse: {
    status: 409,
    action: 'Stop the other process that has this store open, then try again.',
    retryable: true,
  },
  StoreLockLost: {
    status: 409,
    action:
      'Start the operation again: the store is opened anew. If it stays so, look for what keeps this machine from reaching the object storage, for a second service that uses the store, and for whoever removes its file `lock`.',
    retryable: true,
  },
  StoreAccessDenied: {
    status: 409,
    action:
      'Check the credentials of the store and what they are allowed to do there: list, read, write and delete (docs/stores.md).',
    retryable: false,
  },
  StoreFull: {
    status: 409,
    action:
      'Free space on the file system under the store or enlarge it (on object storage: its quota), then run the backup again.',
    retryable: true,
  },
  StoreUnavailable: {
    status: 503,
    action:
      'Check that the place of the store can be reached (its file system mounted and readable, its object storage answering), then try again.',
    retryable: true,
  },
  StoreDamaged: {
    status: 409,
    action:
      'Restore another recovery point, or what can be read of this one with --allow-damaged; the next full backup writes damaged content anew. "holdfast store verify" finds out what is touched.',
    retryable: false,
  },
  StoreKeyRequired: {
    status: 409,
    action: 'Give the key file, the passphrase or the recovery key of the store.',
    retryable: false,
  },
  StoreKeyWrong: {
    status: 409,
    action:
      'Check that the key belongs to this store and, for a passphrase, how it is spelled; otherwise use another of the keys that are named.',
    retryable: false,
  },
  StoreKeyNotFound: { status: 404, action: 'List the keys of the store.', retryable: false },
  StoreKeyLast: {
    status: 409,
    action: 'Add another key first, and then remove this one.',
    retryable: false,
  },
  KeyNotUsable: {
    status: 400,
    action: 'Compare it with the original, or use another key.',
    retryable: false,
  },
  StoreNotEncrypted: {
    status: 409,
    action:
      'If it is meant to be encrypted, somebody has replaced its file "holdfast-store": put back a copy, and find out who did. If it is not, open it without a key.',
    retryable: false,
  },
  RestoredWithGaps: {
    status: 409,
    action:
      'Check the file systems on the restored disks before they are used, and take what lies in the listed stretches from another recovery point.',
    retryable: false,
  },
  CollectionRefused: {
    status: 409,
    action: 'List the recovery points of the vault; if that many were meant to go, collect with force.',
    retryable: false,
  },
  ReplicaRemovalRefused: {
    status: 409,
    action:
      'Check the clock and the recovery points of the vault; if that many were meant to go, run "holdfast vault replica sync --force".',
    retryable: false,
  },
  ReplicaNotUsable: {
    status: 409,
    action: 'Choose an empty place, or a store that holds nothing but copies of this vault.',
    retryable: false,
  },
  RecoveryPointExists: {
    status: 409,
    action: 'Use a new id; a recovery point is never overwritten.',
    retryable: false,
  },
  RecoveryPointNotInStore: {
    status: 404,
    action: 'List the recovery points of the item and choose one that is in the vault.',
    retryable: false,
  },
} as const;
