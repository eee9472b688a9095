import { parseDomain } from './domain-xml.ts';
import { buildXml, element, elements, find, type XmlElement } from './xml-tree.ts';

/** What becomes of the guest when a write, or a read, of a disk fails. */
const policies = ['error_policy', 'rerror_policy'] as const;

/**
 * Has a disk pause its machine, instead of telling the guest of an error, while what it stands on does not answer: the
 * guest loses nothing, and goes on where it was.
 */
export function pauseOnError(disk: XmlElement): void {
  for (const policy of policies) driverOf(disk).attributes[policy] = 'stop';
}

/** The definition with these disks treating errors as they do in another definition of the machine. */
export function withErrorPoliciesOf(xml: string, original: string, targets: ReadonlySet<string>): string {
  const root = parseDomain(xml);
  const wanted = disksOf(parseDomain(original));
  for (const [target, disk] of disksOf(root)) {
    if (!targets.has(target)) continue;
    const driver = driverOf(disk);
    const before = wanted.get(target);
    for (const policy of policies) {
      const value = before && find(before, 'driver')?.attributes[policy];
      if (value === undefined) delete driver.attributes[policy];
      else driver.attributes[policy] = value;
    }
  }
  return buildXml(root);
}

/** Targets of the disks of a definition that pause their machine on any error. */
export function disksThatPause(xml: string): Set<string> {
  const pausing = [...disksOf(parseDomain(xml))].filter(([, disk]) =>
    policies.every((policy) => find(disk, 'driver')?.attributes[policy] === 'stop'),
  );
  return new Set(pausing.map(([target]) => target));
}

function disksOf(root: XmlElement): Map<string, XmlElement> {
  const devices = find(root, 'devices') ?? element('devices');
  return new Map(
    elements(devices, 'disk').map((disk) => [find(disk, 'target')?.attributes.dev ?? '', disk] as const),
  );
}

function driverOf(disk: XmlElement): XmlElement {
  const driver = find(disk, 'driver');
  if (driver !== undefined) return driver;
  const made = element('driver', { name: 'qemu' });
  disk.children.unshift(made);
  return made;
}
