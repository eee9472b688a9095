import { parseDomain, setChain } from './domain-xml.ts';
import { pauseOnError } from './live-disk-xml.ts';
import {
  buildXml,
  descendants,
  element,
  elements,
  find,
  removeElements,
  setText,
  textOf,
  type XmlElement,
} from './xml-tree.ts';

/** What a restored machine is to be, beside what its definition says. */
export interface Adaptation {
  name: string;
  uuid: string;
  disks: readonly { target: string; path: string; format: string }[];
  /** See `DefineRestoredRequest`. */
  live?: boolean;
  connectNetwork: boolean;
  /** The network that all interfaces are connected to, instead of their own. */
  network?: string | undefined;
  /** Where its UEFI variables are; undefined: there are none to restore. */
  nvramPath: string | undefined;
  /** A MAC address that no other machine has. */
  newMac(): string;
}

/** Devices that exist once on a host, or hold data that the source machine goes on using. */
const removedDevices: Record<string, (device: XmlElement) => string | undefined> = {
  hostdev: () => 'a host device passed through',
  lease: () => 'a lock lease',
  shmem: () => 'a shared memory region',
  filesystem: () => 'a directory shared with the host',
  memory: (device) => (find(device, 'source', 'path') ? 'a memory device backed by a file' : undefined),
  input: (device) =>
    ['passthrough', 'evdev'].includes(device.attributes.type ?? '')
      ? 'an input device of the host'
      : undefined,
  smartcard: (device) =>
    device.attributes.mode === 'passthrough' ? 'a smart card passed through' : undefined,
  tpm: (device) =>
    find(device, 'backend')?.attributes.type === 'emulator' ? undefined : 'a TPM that is not emulated',
  interface: (device) =>
    ['hostdev', 'vhostuser', 'vdpa'].includes(device.attributes.type ?? '')
      ? 'a network interface bound to a host device or socket'
      : undefined,
  redirdev: (device) => (device.attributes.type === 'spicevmc' ? undefined : 'a USB redirection'),
};

/**
 * Makes the definition of a new machine out of that of a recovery point: nothing in it may touch or clash with the
 * machine it came from, which may be running beside it.
 * @returns the definition and, in sentences, what differs, for the person who restores
 */
export function adaptDefinition(xml: string, wanted: Adaptation): { xml: string; changes: string[] } {
  const root = parseDomain(xml);
  const changes: string[] = [];
  const devices = find(root, 'devices') ?? element('devices');
  adaptIdentity(root, wanted, changes);
  adaptFirmware(root, wanted, changes);
  adaptDisks(devices, wanted, changes);
  removeDevices(devices, changes);
  adaptInterfaces(devices, wanted, changes);
  adaptCharacterDevices(devices, changes);
  adaptGraphics(devices, changes);
  adaptRest(devices, changes);
  for (const device of elements(devices))
    removeElements(device, (child) => child.name === 'alias' && !child.attributes.name?.startsWith('ua-'));
  if (elements(root, 'qemu:commandline').length > 0)
    changes.push(
      'Its extra QEMU arguments were kept as they are; check that they do not refer to the source VM.',
    );
  return { xml: buildXml(root), changes };
}

function adaptIdentity(root: XmlElement, wanted: Adaptation, changes: string[]): void {
  delete root.attributes.id;
  replaceChild(root, 'name', wanted.name);
  replaceChild(root, 'uuid', wanted.uuid);
  changes.push(`It has the name '${wanted.name}' and the new UUID ${wanted.uuid}.`);
  const genid = find(root, 'genid');
  if (genid !== undefined) genid.children = []; // libvirt makes a new one: the guest learns that it was restored
  // Other tools' notes about the source machine; what system the guest runs holds for the copy as well.
  const metadata = find(root, 'metadata');
  if (metadata !== undefined) removeElements(metadata, (child) => !/(^|:)libosinfo$/.test(child.name));
  for (const part of descendants(root)) removeElements(part, (child) => child.name === 'seclabel');
  for (const sysinfo of elements(root, 'sysinfo'))
    for (const entry of descendants(sysinfo))
      if (entry.name === 'entry' && entry.attributes.name === 'uuid') setText(entry, wanted.uuid);
}

function adaptFirmware(root: XmlElement, wanted: Adaptation, changes: string[]): void {
  const os = find(root, 'os');
  const nvram = find(os, 'nvram');
  if (os === undefined) return;
  if (wanted.nvramPath === undefined) {
    if (nvram !== undefined) {
      nvram.children = [];
      delete nvram.attributes.type;
      if (nvram.attributes.template === undefined) removeElements(os, (child) => child === nvram);
      changes.push('It starts with new UEFI variables; the recovery point has none.');
    }
    return;
  }
  const store = nvram ?? element('nvram');
  if (nvram === undefined) os.children.push(store);
  delete store.attributes.type;
  setText(store, wanted.nvramPath);
  changes.push(`Its UEFI variables are in ${wanted.nvramPath}.`);
}

function adaptDisks(devices: XmlElement, wanted: Adaptation, changes: string[]): void {
  const left = new Set(wanted.disks.map((disk) => disk.target));
  for (const disk of elements(devices, 'disk')) {
    const target = find(disk, 'target')?.attributes.dev ?? '';
    if (disk.attributes.device === 'cdrom' || disk.attributes.device === 'floppy') {
      emptyDrive(disk, target, changes);
      continue;
    }
    const image = wanted.disks.find((each) => each.target === target);
    if (image === undefined) {
      removeElements(devices, (child) => child === disk);
      changes.push(`Disk ${target} is not in the recovery point and was left out.`);
      continue;
    }
    left.delete(target);
    removeElements(disk, (child) => ['source', 'mirror', 'auth', 'encryption'].includes(child.name));
    delete disk.attributes.snapshot;
    setChain(disk, [{ path: image.path, format: image.format, type: 'file' }]);
    // An instant disk has a backing image, whose header libvirt is to follow.
    removeElements(disk, (child) => child.name === 'backingStore');
    if (wanted.live === true) pauseOnError(disk);
    changes.push(`Disk ${target} is ${image.path}.`);
  }
  if (left.size > 0) throw new Error(`the definition has no disk ${[...left].join(', ')}`);
}

function emptyDrive(disk: XmlElement, target: string, changes: string[]): void {
  disk.attributes.type = 'file';
  const had = removeElements(disk, (child) => child.name === 'source');
  removeElements(disk, (child) => ['backingStore', 'auth'].includes(child.name));
  const driver = find(disk, 'driver');
  if (driver !== undefined) delete driver.attributes.type;
  if (had > 0) changes.push(`The medium was taken out of drive ${target}.`);
}

function removeDevices(devices: XmlElement, changes: string[]): void {
  removeElements(devices, (device) => {
    const what = removedDevices[device.name]?.(device);
    if (what !== undefined) changes.push(`Left out: ${what}.`);
    return what !== undefined;
  });
}

function adaptInterfaces(devices: XmlElement, wanted: Adaptation, changes: string[]): void {
  const interfaces = elements(devices, 'interface');
  for (const each of interfaces) {
    removeElements(each, (child) => ['mac', 'target', 'actual'].includes(child.name));
    each.children.unshift(element('mac', { address: wanted.newMac() }));
    delete find(each, 'source')?.attributes.portid;
    delete find(each, 'virtualport', 'parameters')?.attributes.interfaceid;
    if (wanted.network !== undefined) {
      removeElements(each, (child) => ['source', 'virtualport', 'vlan'].includes(child.name));
      each.attributes.type = 'network';
      each.children.push(element('source', { network: wanted.network }));
    }
    if (wanted.connectNetwork) continue;
    removeElements(each, (child) => child.name === 'link');
    each.children.push(element('link', { state: 'down' }));
  }
  if (interfaces.length === 0) return;
  const link = wanted.connectNetwork ? 'connected' : 'with their links down';
  changes.push(`Its ${interfaces.length} network interface(s) have new MAC addresses and are ${link}.`);
}

/** Sockets, files and devices of the host can serve one machine only. */
function adaptCharacterDevices(devices: XmlElement, changes: string[]): void {
  for (const device of elements(devices)) {
    if (!['serial', 'parallel', 'console', 'channel'].includes(device.name)) continue;
    removeElements(device, (child) => child.name === 'log');
    delete device.attributes.tty;
    const type = device.attributes.type;
    if (type === 'pty') removeElements(device, (child) => child.name === 'source');
    if (
      type === undefined ||
      ['pty', 'spicevmc', 'spiceport', 'null', 'vc', 'qemu-vdagent', 'dbus'].includes(type)
    )
      continue;
    removeElements(device, (child) => child.name === 'source' || child.name === 'protocol');
    if (device.name === 'channel' && type === 'unix') continue; // libvirt gives it a socket of its own
    device.attributes.type = device.name === 'channel' ? 'null' : 'pty';
    changes.push(`A ${device.name} device of type ${type} was turned into ${device.attributes.type}.`);
  }
}

function adaptGraphics(devices: XmlElement, changes: string[]): void {
  for (const graphics of elements(devices, 'graphics')) {
    const { port, tlsPort, websocket, socket, autoport } = graphics.attributes;
    for (const name of ['port', 'tlsPort', 'websocket', 'socket']) delete graphics.attributes[name];
    for (const listen of elements(graphics, 'listen')) delete listen.attributes.socket;
    if (!['vnc', 'spice'].includes(graphics.attributes.type ?? '')) continue;
    graphics.attributes.autoport = 'yes';
    const fixed =
      autoport === 'no' || socket !== undefined || [port, tlsPort, websocket].some((p) => Number(p) > 0);
    if (fixed) changes.push(`Its ${graphics.attributes.type} display gets a free port at start.`);
  }
}

function adaptRest(devices: XmlElement, changes: string[]): void {
  for (const vsock of elements(devices, 'vsock')) {
    const cid = find(vsock, 'cid');
    if (cid === undefined) continue;
    cid.attributes = { auto: 'yes' };
    changes.push('Its vsock address is chosen anew.');
  }
  for (const tpm of elements(devices, 'tpm')) {
    const backend = find(tpm, 'backend');
    if (backend !== undefined) removeElements(backend, (child) => child.name === 'source');
  }
}

function replaceChild(root: XmlElement, name: string, text: string): void {
  const old = find(root, name);
  if (old !== undefined) {
    if (textOf(old) !== text) setText(old, text);
  } else root.children.unshift(element(name, {}, { text }));
}
