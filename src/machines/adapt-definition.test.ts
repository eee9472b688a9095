import { describe, expect, it } from 'vitest';
import { adaptDefinition } from './adapt-definition.ts';
import { describeDomain } from './domain-xml.ts';
import { disksThatPause, withErrorPoliciesOf } from './live-disk-xml.ts';
import { sampleDomain } from './testing/sample-domain.ts';

const wanted = {
  name: 'web restored',
  uuid: '99999999-2222-3333-4444-555555555555',
  disks: [{ target: 'vda', path: '/restore/vda.qcow2', format: 'qcow2' }],
  connectNetwork: false,
  nvramPath: '/restore/VARS.fd',
  newMac: () => '52:54:00:aa:bb:cc',
};

describe('the definition of a restored machine', () => {
  const { xml, changes } = adaptDefinition(sampleDomain, wanted);

  it('shares no identity, file, socket or device with its source', () => {
    for (const leftover of [
      '11111111-',
      'aaaaaaaa-',
      'example.org',
      '/images/',
      '/dev/vg',
      '/iso/',
      '/run/',
      '/srv',
      '/var/lib/libvirt',
      '52:54:00:11:22:33',
      'vnet0',
      'portid',
      'hostdev',
      '4555',
      '5901',
      'seclabel',
      'backingStore',
      'alias',
      'address="3"',
    ])
      expect(xml, leftover).not.toContain(leftover);
  });

  it('is connected to another network where one is named', () => {
    const elsewhere = adaptDefinition(sampleDomain, { ...wanted, connectNetwork: true, network: 'lan' }).xml;
    const [first = ''] = /<interface .*?<\/interface>/s.exec(elsewhere) ?? [];
    expect(first).toContain('type="network"');
    expect(first.match(/<source /g)).toHaveLength(1);
    expect(first).toContain('network="lan"');
    expect(first).not.toContain('state="down"');
  });

  it('keeps what the guest sees', () => {
    const domain = describeDomain(xml);
    expect(domain).toMatchObject({
      name: 'web restored',
      uuid: wanted.uuid,
      nvramPath: '/restore/VARS.fd',
      firmware: 'efi',
      osType: 'http://debian.org/debian/12',
      emulatedTpm: true,
      memoryBytes: 512 * 1024 * 1024,
    });
    expect(domain.disks.map(({ target, path }) => [target, path])).toEqual([
      ['vda', '/restore/vda.qcow2'],
      ['sda', undefined],
    ]);
    for (const kept of [
      '<serial>SYS1</serial>',
      'cache="none"',
      'pc-q35-7.2',
      'OVMF_VARS.fd',
      'org.qemu.guest_agent.0',
    ])
      expect(xml).toContain(kept);
    expect(xml).toContain(`<entry name="uuid">${wanted.uuid}</entry>`);
  });

  it('says what was changed', () => {
    const told = changes.join('\n');
    for (const word of [
      'vdb',
      'drive sda',
      'MAC',
      'links down',
      'host device',
      'shared with the host',
      'vnc',
      'serial',
      'vsock',
      'QEMU arguments',
    ])
      expect(told).toContain(word);
  });

  it('has its links down unless the network is wanted', () => {
    expect(xml).toContain('<link state="down"/>');
    expect(adaptDefinition(sampleDomain, { ...wanted, connectNetwork: true }).xml).not.toContain('<link');
  });

  it('starts with fresh UEFI variables when the point has none', () => {
    const fresh = adaptDefinition(sampleDomain, { ...wanted, nvramPath: undefined });
    expect(describeDomain(fresh.xml).nvramPath).toBeUndefined();
    expect(fresh.xml).toContain('template="/usr/share/OVMF/OVMF_VARS.fd"');
  });

  it('is refused for a disk that the point does not have', () => {
    const disks = [{ target: 'vdq', path: '/x', format: 'raw' }];
    expect(() => adaptDefinition(sampleDomain, { ...wanted, disks })).toThrow(/vdq/);
  });

  it('that runs from the vault pauses on errors of its disks, until it does not any more', () => {
    const live = adaptDefinition(sampleDomain, { ...wanted, live: true }).xml;
    expect([...disksThatPause(live)]).toEqual(['vda']);
    const after = withErrorPoliciesOf(live, sampleDomain, disksThatPause(live));
    expect(disksThatPause(after)).toEqual(new Set());
    expect(describeDomain(after)).toEqual(describeDomain(xml));
    const particular = sampleDomain.replace("cache='none'", "cache='none' error_policy='enospace'");
    expect(withErrorPoliciesOf(live, particular, new Set(['vda']))).toContain('error_policy="enospace"');
  });
});
