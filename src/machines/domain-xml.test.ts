import { describe, expect, it } from 'vitest';
import { describeDomain, replaceChains, snapshotXml } from './domain-xml.ts';
import { sampleDomain } from './testing/sample-domain.ts';
import { buildXml, parseXml } from './xml-tree.ts';

describe('a domain definition', () => {
  it('tells disks, chains and firmware', () => {
    const domain = describeDomain(sampleDomain);
    expect(domain).toMatchObject({
      name: 'web & db',
      memoryBytes: 512 * 1024 * 1024,
      vcpus: 2,
      firmware: 'efi',
      osType: 'http://debian.org/debian/12',
      nvramPath: '/var/lib/libvirt/qemu/nvram/web_VARS.fd',
      emulatedTpm: true,
      agentChannel: 'connected',
    });
    expect(domain.disks.map(({ target, path, chainComplete }) => [target, path, chainComplete])).toEqual([
      ['vda', '/images/web.1.qcow2', true],
      ['vdb', '/dev/vg/data', false],
      ['sda', '/iso/debian.iso', false],
    ]);
    expect(domain.disks[0]?.chain.map(({ path, format }) => [path, format])).toEqual([
      ['/images/web.1.qcow2', 'qcow2'],
      ['/images/web.img', 'raw'],
    ]);
  });

  it('gets new chains and keeps everything else', () => {
    const chain = [
      { path: '/images/a,b & <c>.qcow2', format: 'qcow2', type: 'file' },
      { path: '/dev/vg/data', format: 'raw', type: 'block' },
    ] as const;
    const edited = replaceChains(sampleDomain, new Map([['vdb', chain]]));
    const disk = describeDomain(edited).disks[1];
    expect(disk).toMatchObject({ type: 'file', format: 'qcow2', chainComplete: true });
    expect(disk?.chain.map(({ type, path }) => [type, path])).toEqual([
      ['file', '/images/a,b & <c>.qcow2'],
      ['block', '/dev/vg/data'],
    ]);
    const original = [{ path: '/dev/vg/data', format: 'raw', type: 'block' }] as const;
    const back = replaceChains(edited, new Map([['vdb', original]])).replace(
      '<backingStore/>\n      <target dev="vdb"',
      '\n      <target dev="vdb"',
    );
    const spaces = (xml: string) => xml.replace(/\s+/g, '');
    expect(spaces(back).replace('<backingStore/><targetdev="vdb"', '<targetdev="vdb"')).toBe(
      spaces(buildXml(parseXml(sampleDomain))),
    );
  });

  it('keeps what else a source says, its security label for one', () => {
    const chain = [{ path: '/images/web.2.qcow2', format: 'qcow2', type: 'file' }] as const;
    const edited = replaceChains(sampleDomain, new Map([['vda', chain]]));
    expect(edited).toContain(
      '<source file="/images/web.2.qcow2"><seclabel model="dac" relabel="no"/></source>',
    );
    expect(edited).toContain('cache="none" discard="unmap"');
  });

  it('refuses to edit a disk that is not there', () => {
    expect(() => replaceChains(sampleDomain, new Map([['vdz', []]]))).toThrow(/vdz/);
  });

  it('that is none is refused with a code', () => {
    expect(() => describeDomain('<network/>')).toThrowError(
      expect.objectContaining({ code: 'DomainXmlInvalid' }),
    );
    expect(() => describeDomain('nonsense')).toThrowError(
      expect.objectContaining({ code: 'DomainXmlInvalid' }),
    );
  });

  it('gets a snapshot that names every disk', () => {
    expect(snapshotXml([{ target: 'vda', path: '/x/"a".qcow2' }], ['sda'])).toBe(
      '<domainsnapshot><disks><disk name="vda" snapshot="external" type="file"><driver type="qcow2"/>' +
        '<source file="/x/&quot;a&quot;.qcow2"/></disk><disk name="sda" snapshot="no"/></disks></domainsnapshot>',
    );
  });

  it('is read and edited with the deepest chain that libvirt takes', () => {
    const chain = Array.from({ length: 200 }, (_, index) => ({
      path: `/images/l${index}.qcow2`,
      format: 'qcow2',
      type: 'file' as const,
    }));
    const edited = describeDomain(replaceChains(sampleDomain, new Map([['vda', chain]])));
    expect(edited.disks[0]?.chain.map(({ path }) => path)).toEqual(chain.map(({ path }) => path));
    expect(edited.disks[0]?.chainComplete).toBe(true);
  });
});
