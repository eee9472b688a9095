import { describe, expect, it } from 'vitest';
import { describeDomain } from './domain-xml.ts';
import type { ImageInfo } from './images/index.ts';
import { type Findings, judge } from './obstacles.ts';

const plain = `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/a.qcow2'/><target dev='vda' bus='virtio'/></disk>`;
const extra = (
  inside: string,
  type = 'file',
  source = `<source file='/i/b.raw'/>`,
  format = 'raw',
  device = 'disk',
) =>
  `<disk type='${type}' device='${device}'><driver name='qemu' type='${format}'/>${source}<target dev='vdb' bus='virtio'/>${inside}</disk>`;

function findings(devices: string, changes: Partial<Findings> = {}): Findings {
  const xml = `<domain type='kvm'><name>vm</name><uuid>1a2b3c4d-2222-3333-4444-555555555555</uuid><devices>${devices}</devices></domain>`;
  return {
    status: {
      uuid: '1a2b3c4d-2222-3333-4444-555555555555',
      name: 'vm',
      state: 'running',
      stateWord: 'running',
      persistent: true,
      managedSave: false,
    },
    domain: describeDomain(xml),
    excludedDisks: [],
    images: new Map(),
    chains: new Map(),
    snapshots: [],
    checkpoints: [],
    blockJobs: new Map(),
    overlayDirectory: undefined,
    tpmDirectory: undefined,
    ...changes,
  };
}

const codes = (of: Findings) => judge(of).map(({ code, disk }) => [code, disk]);

const image = (changes: Partial<ImageInfo>): ImageInfo => ({
  path: '/i/a.qcow2',
  format: 'qcow2',
  virtualSizeBytes: 1,
  allocatedBytes: 1,
  clusterSizeBytes: 65536,
  extendedL2: false,
  lazyRefcounts: false,
  backing: undefined,
  dataFile: undefined,
  encrypted: false,
  dirty: false,
  corrupt: false,
  bitmaps: [],
  snapshots: [],
  ...changes,
});

describe('obstacles', () => {
  it('are none for plain disks, and drives do not count', () => {
    const cdrom = `<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>`;
    expect(judge(findings(plain + cdrom))).toEqual([]);
    expect(codes(findings(cdrom))).toEqual([['UserErrorNoDiskToProtect', undefined]]);
  });

  it.each([
    ['UserErrorDiskShareable', extra('<shareable/>')],
    ['UserErrorDiskTypeNotSupported', extra('<transient/>')],
    ['UserErrorDiskTypeNotSupported', extra('<readonly/>')],
    ['UserErrorDiskEncrypted', extra(`<encryption format='luks'/>`)],
    ['UserErrorDiskPassthrough', extra('', 'block', `<source dev='/dev/sdb'/>`, 'raw', 'lun')],
    ['UserErrorDiskTypeNotSupported', extra('', 'network', `<source protocol='rbd' name='p/i'/>`)],
    ['UserErrorDiskTypeNotSupported', extra('', 'volume', `<source pool='p' volume='v'/>`)],
    ['UserErrorDiskTypeNotSupported', extra('', 'file', '')],
    ['UserErrorDiskTypeNotSupported', extra('', 'file', `<source file='/i/b.vmdk'/>`, 'vmdk')],
    ['UserErrorDiskTypeNotSupported', extra('', 'block', `<source dev='/dev/sdb'/>`)],
    [
      'UserErrorDiskTypeNotSupported',
      extra(
        '',
        'file',
        `<source file='/i/b'><slices><slice type='storage' offset='1' size='2'/></slices></source>`,
      ),
    ],
    ['UserErrorBlockJobRunning', extra(`<mirror type='file' job='copy'/>`)],
  ] as const)('%s is found on the disk, with an action, and excluding the disk helps', (code, disk) => {
    const found = judge(findings(plain + disk));
    expect(found).toEqual([
      { code, disk: 'vdb', message: expect.stringContaining('vdb'), action: expect.any(String) },
    ]);
    expect(judge(findings(plain + disk, { excludedDisks: ['vdb'] }))).toEqual([]);
  });

  it('a block device is fine where its layers have a place', () => {
    const disk = extra('', 'block', `<source dev='/dev/sdb'/>`);
    expect(judge(findings(disk, { overlayDirectory: '/layers' }))).toEqual([]);
  });

  it('concern the whole machine', () => {
    const base = findings(plain);
    const status = (changes: object) => ({ status: { ...base.status, ...changes } });
    expect(codes(findings(plain, status({ persistent: false })))).toEqual([
      ['UserErrorVmTransient', undefined],
    ]);
    expect(codes(findings(plain, status({ state: 'other', stateWord: 'in shutdown' })))).toEqual([
      ['UserErrorVmNotInDesirableState', undefined],
    ]);
    expect(codes(findings(plain, status({ state: 'shut off', managedSave: true })))).toEqual([
      ['UserErrorVmNotInDesirableState', undefined],
    ]);
    expect(codes(findings(plain, { snapshots: ['s1'], checkpoints: ['c1'] }))).toEqual([
      ['UserErrorHostSnapshotsPresent', undefined],
      ['UserErrorHostSnapshotsPresent', undefined],
    ]);
    const tpm = `<tpm><backend type='emulator'/></tpm>`;
    expect(codes(findings(plain + tpm))).toEqual([['UserErrorTpmStateNotFound', undefined]]);
    expect(codes(findings(plain + tpm, { tpmDirectory: '/t' }))).toEqual([]);
    expect(codes(findings(`${plain}<hostdev mode='subsystem' type='scsi'/>`))).toEqual([
      ['UserErrorDiskPassthrough', undefined],
    ]);
  });

  it.each([
    ['UserErrorDiskEncrypted', [image({ encrypted: true })]],
    ['UserErrorDiskTypeNotSupported', [image({ dataFile: '/i/data' })]],
    ['DiskImageDamaged', [image({}), image({ corrupt: true })]],
    ['DiskImageNotSupported', [image({ backing: { path: '/i/base', format: undefined } })]],
  ] as const)('%s is found in the images of a chain', (code, images) => {
    expect(codes(findings(plain, { images: new Map([['vda', images]]) }))).toEqual([[code, 'vda']]);
  });

  const layers = (count: number, disk = 'vda') =>
    Array.from({ length: count }, (_, index) => `/i/${disk}.holdfast-1a2b3c4d.p${index}.qcow2`);
  const others = (count: number) => Array.from({ length: count }, (_, index) => `/i/base${index}.qcow2`);
  const limit = 'UserErrorRpCollectionLimitReached';

  it.each([
    [[...layers(127), ...others(1)], []],
    [[...layers(128), ...others(1)], [[limit, 'vda']]],
    [[...layers(1), ...others(188)], []],
    [[...layers(1), ...others(189)], [[limit, 'vda']]],
  ])('counts the images of a chain (%#)', (chain, expected) => {
    expect(codes(findings(plain, { chains: new Map([['vda', chain]]) }))).toEqual(expected);
  });

  it('counts the images that QEMU would have open', () => {
    const chains = (last: number) =>
      new Map([...Array(7).keys()].map((n) => [`vd${n}`, layers(n === 6 ? last : 113, `vd${n}`)]));
    expect(codes(findings(plain, { chains: chains(115) }))).toEqual([]); // 793 now, 800 then
    expect(codes(findings(plain, { chains: chains(116) }))).toEqual([[limit, undefined]]);
  });
});
