/** Codes of hypervisors and virtual machines. See {@link CatalogueEntry} for the fields. */
export const machineCodes = {
  HostUnreachable: {
    status: 409,
    action: 'Check that libvirt runs on the host and that its connection URI is right, then try again.',
    retryable: true,
  },
  UserErrorZoneOfOtherRegion: {
    status: 409,
    action: 'Give the host the region of the zone, or another zone.',
    retryable: false,
  },
  HostToolMissing: {
    status: 409,
    action: 'Install the named program on the host (Debian packages libvirt-clients and qemu-utils).',
    retryable: false,
  },
  UserErrorVmNotFoundV2: {
    status: 404,
    action:
      'List the virtual machines with "holdfast vm list"; if the VM is gone for good, stop its protection.',
    retryable: false,
  },

  // Image files and the programs that serve them (machines/images).
  UserErrorHostStorageFull: {
    status: 409,
    action: "Free space on the file system that holds the VM's disks (or enlarge it), then try again.",
    retryable: true,
  },
  DiskImageExists: {
    status: 409,
    action: 'Choose another path, or move the existing file away if it is not needed.',
    retryable: false,
  },
  DiskImageNotFound: {
    status: 404,
    action: 'Check the path of the image and that its file system is mounted.',
    retryable: false,
  },
  DiskImageNotSupported: {
    status: 409,
    action: 'Convert the disk to a plain qcow2 or raw image on a local path, or exclude it from the backup.',
    retryable: false,
  },
  DiskImageDamaged: {
    status: 409,
    action: 'Run "qemu-img check" on the named image and repair it while the VM is off.',
    retryable: false,
  },
  DiskImageInUse: {
    status: 409,
    action: 'Wait for the other program (a running VM, a merge, a copy) to end, then try again.',
    retryable: true,
  },
  DiskImageUnavailable: {
    status: 409,
    action: "Check the file system under the image and the host's log for I/O errors, then try again.",
    retryable: true,
  },

  // libvirt domains (machines).
  HostTransportNotSupported: {
    status: 400,
    action:
      'Run Holdfast on the host itself and give it a local URI, such as qemu:///system; remote URIs are not supported yet.',
    retryable: false,
  },
  DomainXmlInvalid: {
    status: 409,
    action: 'Check the definition with "virsh dumpxml" and "virt-xml-validate".',
    retryable: false,
  },
  UserErrorVmNotShutDown: {
    status: 409,
    action: 'Shut the VM down and restore again, or restore a new VM beside it.',
    retryable: false,
  },
  UserErrorVmNotInDesirableState: {
    status: 409,
    action:
      'Wait until the VM is running, paused or shut off (without a managed save image), then try again.',
    retryable: true,
  },
  UserErrorVmTransient: {
    status: 409,
    action:
      'Make the VM persistent with "virsh define"; a transient one is gone with its definition when it stops.',
    retryable: false,
  },
  UserErrorNoDiskToProtect: {
    status: 409,
    action: 'Give the VM a disk, or include one of its disks in the backup.',
    retryable: false,
  },
  UserErrorDiskShareable: {
    status: 409,
    action: 'Exclude the disk from the backup; a disk that several VMs write to can not have layers.',
    retryable: false,
  },
  UserErrorDiskPassthrough: {
    status: 409,
    action: 'Exclude the disk from the backup, or attach the device as a disk of type "block".',
    retryable: false,
  },
  UserErrorDiskTypeNotSupported: {
    status: 409,
    action: 'Exclude the disk from the backup, or move it to a local raw or qcow2 image.',
    retryable: false,
  },
  UserErrorDiskEncrypted: {
    status: 409,
    action:
      "Exclude the disk from the backup, or encrypt inside the guest: layers of ours would hold the guest's data in clear.",
    retryable: false,
  },
  UserErrorHostSnapshotsPresent: {
    status: 409,
    action:
      'Delete the snapshots and checkpoints that another tool made (virsh snapshot-list, virsh checkpoint-list).',
    retryable: false,
  },
  UserErrorBlockJobRunning: {
    status: 409,
    action: 'Wait until the copy or merge of the disk ends (virsh blockjob VM DISK), then try again.',
    retryable: true,
  },
  UserErrorTpmStateNotFound: {
    status: 409,
    action:
      'Move the VM to qemu:///system, whose TPM state is found in /var/lib/libvirt/swtpm, or remove its TPM.',
    retryable: false,
  },
  UserErrorRpCollectionLimitReached: {
    status: 409,
    action:
      'Wait until layers are merged: points that the vault has are merged after each backup, others when they are ' +
      "transferred or expire. The service's log says what a merge waits for.",
    retryable: false,
  },
  UserErrorCrpReportedUserError: {
    status: 409,
    action: "Look for the cause in the message and in libvirt's log, then try again.",
    retryable: true,
  },
  UserErrorGuestNotThawed: {
    status: 409,
    action:
      'Thaw the guest at once: virsh domfsthaw VM; if its agent does not answer, restart the agent or reset the VM.',
    retryable: true,
  },
  RecoveryPointNotOnHost: {
    status: 409,
    action:
      'Choose a recovery point whose snapshot is still on the host, or restore this one from the vault.',
    retryable: false,
  },
  UserErrorDiskChainChanged: {
    status: 409,
    action:
      'Somebody changed the image chain of the disk. Undo that, or stop protection of the VM and protect it again.',
    retryable: false,
  },
  DiskMergeFailed: {
    status: 409,
    action:
      "Look for the cause in the VM's log on the host; the merge is tried again and nothing is lost meanwhile.",
    retryable: true,
  },
  UserErrorTargetVmExists: {
    status: 409,
    action: 'Choose another name for the restored VM.',
    retryable: false,
  },
  LedgerDamaged: {
    status: 409,
    action:
      'Restore the named file from a copy. Without it the frozen layers of this VM can not be told apart; none is deleted.',
    retryable: false,
  },
  LedgerVersionNotSupported: {
    status: 409,
    action: 'Start the Holdfast version that last used this home, or a newer one.',
    retryable: false,
  },
} as const;
