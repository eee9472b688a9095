import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import type { Disk } from './disk-files.ts';
import type { GuestImage } from './guest-image.ts';

/** Where Debian and Ubuntu keep OVMF; the 4M builds took over with Debian 12. */
const firmwares = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
] as const;

/** UEFI firmware of this machine, or undefined when the package `ovmf` is not installed. */
export function findFirmware(): { code: string; variables: string } | undefined {
  const found = firmwares.find((files) => files.every((file) => existsSync(file)));
  return found === undefined ? undefined : { code: found[0], variables: found[1] };
}

/** Puts a fresh copy of the firmware's variables at `path`. */
export async function createNvram(path: string): Promise<void> {
  const firmware = findFirmware();
  if (firmware === undefined) throw new Error('UEFI guests need the package ovmf.');
  await copyFile(firmware.variables, path);
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
};
const escapeXml = (text: string) => text.replace(/[&<>'"]/g, (character) => escapes[character] ?? character);

export interface GuestXmlInput {
  name: string;
  uuid: string;
  image: GuestImage;
  memoryMiB: number;
  disks: readonly Disk[];
  agent: boolean;
  counter: boolean;
  /** Path of the NVRAM file of a UEFI guest. */
  nvram?: string;
  consoleLog: string;
}

/**
 * The domain of a guest. Always `type='qemu'` (TCG): a /dev/kvm that is there need not work, and a guest on a broken
 * one hangs instead of failing.
 */
export function writeGuestXml(guest: GuestXmlInput): string {
  const e = escapeXml;
  const mounts = guest.disks.filter((disk) => disk.mounted).map((disk) => disk.target);
  const words = ['console=ttyS0', 'quiet', 'panic=-1', `lab.disks=${mounts.join(',')}`];
  if (guest.agent) words.push('lab.agent=1');
  if (guest.counter) words.push('lab.counter=1');
  const firmware = guest.nvram === undefined ? undefined : findFirmware();
  const loader =
    firmware === undefined || guest.nvram === undefined
      ? ''
      : `<loader readonly='yes' type='pflash'>${e(firmware.code)}</loader>
    <nvram template='${e(firmware.variables)}'>${e(guest.nvram)}</nvram>`;
  const disks = guest.disks.map(({ target, path, format }) => {
    const [kind, attribute] = format === 'block' ? ['block', 'dev'] : ['file', 'file'];
    return `<disk type='${kind}' device='disk'>
      <driver name='qemu' type='${format === 'qcow2' ? 'qcow2' : 'raw'}' discard='unmap'/>
      <source ${attribute}='${e(path)}'/>
      <target dev='${e(target)}' bus='virtio'/>
    </disk>`;
  });
  const channel = `<channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>`;
  return `<domain type='qemu'>
  <name>${e(guest.name)}</name>
  <uuid>${guest.uuid}</uuid>
  <memory unit='MiB'>${guest.memoryMiB}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='${guest.nvram === undefined ? 'pc' : 'q35'}'>hvm</type>
    ${loader}
    <kernel>${e(guest.image.kernel)}</kernel>
    <initrd>${e(guest.image.initramfs)}</initrd>
    <cmdline>${e(words.join(' '))}</cmdline>
  </os>
  <features><acpi/></features>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    ${disks.join('\n    ')}
    ${guest.agent ? channel : ''}
    <serial type='file'>
      <source path='${e(guest.consoleLog)}' append='on'/>
    </serial>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}
