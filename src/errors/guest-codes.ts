/**
 * Codes of what goes on inside a guest: its agent, the freezing of its file systems, its scripts. Azure's names. Most
 * of them explain why a recovery point promises less than it was to. See {@link CatalogueEntry} for the fields.
 */
export const guestCodes = {
  UserErrorGuestAgentStatusUnavailable: {
    status: 409,
    action:
      'Install and start qemu-guest-agent in the guest, and give the VM its channel (org.qemu.guest_agent.0). Where ' +
      'crash-consistent points suffice, choose an Enhanced policy that takes only those.',
    retryable: true,
  },
  GuestAgentSnapshotTaskStatusError: {
    status: 409,
    action:
      'Look in the guest for what keeps its agent busy: a freeze hook that does not end, a file system that does not ' +
      'answer (journalctl -u qemu-guest-agent).',
    retryable: true,
  },
  UserErrorGuestAgentCannotFreeze: {
    status: 409,
    action:
      "Allow guest-fsfreeze-freeze, -thaw and -status in the settings of the guest's agent, or update the agent.",
    retryable: false,
  },
  UserErrorFsFreezeFailed: {
    status: 409,
    action:
      'Look at the named file system in the guest: unmount it, check it (fsck), and mount it again; unmount what is stale.',
    retryable: true,
  },
  UserErrorUnableToOpenMount: {
    status: 409,
    action: 'Unmount what no longer answers in the guest, such as a network share or a restored disk.',
    retryable: true,
  },
  UserErrorFsFreezeHookFailed: {
    status: 409,
    action:
      "Look into the log of the agent's freeze hooks in the guest (/var/log/qga-fsfreeze-hook.log), and correct or remove " +
      'the hook that refuses.',
    retryable: true,
  },
  ExtensionFailedVssWriterInBadState: {
    status: 409,
    action:
      'Look in the guest for writers in a failed state (vssadmin list writers), restart their services or the guest.',
    retryable: true,
  },
  ExtensionFailedTimeoutVMNetworkUnresponsive: {
    status: 409,
    action:
      'Back the VM up at a quieter hour, or relieve its host: the snapshot took longer than a guest may be frozen.',
    retryable: true,
  },
  UserErrorVmPaused: {
    status: 409,
    action: 'Resume the VM; a guest that is paused can not be asked to freeze.',
    retryable: false,
  },
  'Pre-ScriptExecutionFailed': {
    status: 409,
    action: 'Look into /run/holdfast/pre.log in the guest, and run the pre-script by hand as root.',
    retryable: true,
  },
  'Pre-ScriptNotFound': {
    status: 409,
    action:
      'Correct preScriptLocation in /etc/azure/VMSnapshotScriptPluginConfig.json in the guest; it is an absolute path.',
    retryable: false,
  },
  'Pre-ScriptTimeout': {
    status: 409,
    action:
      'Make the pre-script quicker, or raise timeoutInSeconds in /etc/azure/VMSnapshotScriptPluginConfig.json in the guest.',
    retryable: true,
  },
  'InsufficientPermissionforPre-Script': {
    status: 409,
    action:
      'Make root the owner of the scripts (mode 700) and of /etc/azure/VMSnapshotScriptPluginConfig.json (mode 600) in the guest.',
    retryable: false,
  },
  'Post-ScriptExecutionFailed': {
    status: 409,
    action: 'Look into /run/holdfast/post.log in the guest, and run the post-script by hand as root.',
    retryable: true,
  },
  'Post-ScriptNotFound': {
    status: 409,
    action:
      'Correct postScriptLocation in /etc/azure/VMSnapshotScriptPluginConfig.json in the guest; it is an absolute path.',
    retryable: false,
  },
  'Post-ScriptTimeout': {
    status: 409,
    action:
      'Make the post-script quicker, or raise timeoutInSeconds in /etc/azure/VMSnapshotScriptPluginConfig.json in the guest.',
    retryable: true,
  },
  'InsufficientPermissionforPost-Script': {
    status: 409,
    action:
      'Make root the owner of the scripts (mode 700) and of /etc/azure/VMSnapshotScriptPluginConfig.json (mode 600) in the guest.',
    retryable: false,
  },
  IncorrectJSONConfigFile: {
    status: 409,
    action:
      'Correct /etc/azure/VMSnapshotScriptPluginConfig.json in the guest: one flat JSON object, without escapes other than \\" and \\\\ in its texts.',
    retryable: false,
  },
  UserErrorGuestFileAccessNotAllowed: {
    status: 409,
    action:
      'Allow guest-file-open, -read, -write and guest-exec in the settings of the guest agent, or install the hook by hand: holdfast vm install-hook VM --print.',
    retryable: false,
  },
  UserErrorFreezeHookMissing: {
    status: 409,
    action:
      'Install the freeze hook with "holdfast vm install-hook VM", and have the agent started with --fsfreeze-hook.',
    retryable: false,
  },
  AzureVmOffline: {
    status: 409,
    action: 'Nothing has to be done: the disks of a VM that is off hold what it last wrote.',
    retryable: false,
  },
} as const;
