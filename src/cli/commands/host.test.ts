import { describe, expect, test } from 'vitest';
import { group } from '../testing/samples.ts';
import { world } from '../testing/scripted-service.ts';

describe('hosts', () => {
  test('an empty list says what to do next, beside the output', async () => {
    const { run } = await world({ 'GET SUB/providers/Holdfast.Fleet/hosts': { value: [] } });
    expect(await run('host list')).toEqual({
      code: 0,
      out: '',
      err: 'No hosts yet. Connect one: holdfast host add local --uri qemu:///system\n',
    });
    expect(await run('host list -o json')).toEqual({ code: 0, out: '[]\n', err: '' });
  });

  test('a host is added with what was given', async () => {
    const host = {
      id: `${group}/providers/Holdfast.Fleet/hosts/rack1`,
      name: 'rack1',
      type: 'Holdfast.Fleet/hosts',
      location: 'local',
      properties: { uri: 'qemu:///system', status: 'Connected' },
    };
    const { run, received } = await world({ 'PUT GROUP/providers/Holdfast.Fleet/hosts/rack1': host });
    const { code, out } = await run(
      'host add rack1 --uri qemu:///system --region west --zone z1 --overlay-directory /var/o',
    );
    expect(code).toBe(0);
    expect(out).toContain('Status          connected\n');
    expect(received.at(-1)?.body).toEqual({
      location: 'west',
      extendedLocation: { name: 'z1', type: 'EdgeZone' },
      properties: { uri: 'qemu:///system', overlayDirectory: '/var/o' },
    });
  });
});
