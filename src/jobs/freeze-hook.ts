import { freezeHook, hookName } from '../machines/index.ts';

/** The freeze hook for guests whose agent may not be used to install it, and what to do with it, step by step. */
export async function freezeHookByHand(): Promise<{ name: string; script: string; steps: string[] }> {
  return {
    name: hookName,
    script: await freezeHook(),
    steps: [
      `In the guest, save the script as /etc/qemu/fsfreeze-hook.d/${hookName} (Red Hat and its kin: /etc/qemu-ga/fsfreeze-hook.d/${hookName}).`,
      'Make root its owner and 755 its mode.',
      'Have the agent started with --fsfreeze-hook, and restart it (Debian: "fsfreeze-hook=/etc/qemu/fsfreeze-hook" under [general] of /etc/qemu/qemu-ga.conf).',
      'Describe the scripts in /etc/azure/VMSnapshotScriptPluginConfig.json, root, mode 600.',
    ],
  };
}
