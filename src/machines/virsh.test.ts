import { describe, expect, it } from 'vitest';
import { checkUri, checkUuid } from './virsh.ts';

describe('what reaches virsh', () => {
  it('is a UUID and nothing that could be an option', () => {
    expect(checkUuid('1A2B3C4D-2222-3333-4444-555555555555')).toBe('1a2b3c4d-2222-3333-4444-555555555555');
    for (const bad of ['--help', 'vm1', '', '1a2b3c4d-2222-3333-4444-555555555555 x'])
      expect(() => checkUuid(bad)).toThrowError(expect.objectContaining({ code: 'UserErrorVmNotFoundV2' }));
  });

  it('is a URI of this machine', () => {
    for (const uri of [
      'qemu:///system',
      'qemu:///session',
      'qemu+unix:///session?socket=/run/x/libvirt-sock',
    ])
      expect(checkUri(uri)).toBe(uri);
    for (const uri of ['qemu+ssh://root@far/system', 'xen:///', 'test:///default', '', 'qemu://far/system'])
      expect(() => checkUri(uri)).toThrowError(
        expect.objectContaining({ code: 'HostTransportNotSupported' }),
      );
  });
});
