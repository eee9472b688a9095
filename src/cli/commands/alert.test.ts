import { describe, expect, test } from 'vitest';
import { group } from '../testing/samples.ts';
import { world } from '../testing/scripted-service.ts';

const alert = {
  id: `${group}/providers/Holdfast.Fleet/alerts/a1`,
  name: 'a1',
  type: 'Holdfast.Fleet/alerts',
  properties: {
    kind: 'HostUnreachable',
    severity: 'Error',
    state: 'Open',
    target: 'rack1',
    message: "Host 'rack1' does not answer.",
    action: 'Look at it.',
    firedAt: '2026-11-21T05:40:00Z',
  },
};

describe('alerts', () => {
  test('are listed with what to do, those that are over only on request', async () => {
    const { run, received } = await world({ 'GET SUB/providers/Holdfast.Fleet/alerts': { value: [alert] } });
    const { out } = await run('alert list');
    expect(received.at(-1)?.query.get('$filter')).toBeNull();
    expect(out).toContain(
      "a1     error     open   2026-11-21 05:40 UTC (4 min ago)  Host 'rack1' does not answer.  Look at it.",
    );
    await run('alert list --all');
    expect(received.at(-1)?.query.get('$filter')).toBe("state eq 'All'");
  });

  test('are dismissed by their id, wherever they belong to', async () => {
    const { run, received } = await world({
      'GET SUB/providers/Holdfast.Fleet/alerts': { value: [alert] },
      'POST GROUP/providers/Holdfast.Fleet/alerts/a1/dismiss': {
        ...alert,
        properties: { ...alert.properties, state: 'Dismissed' },
      },
    });
    expect((await run('alert dismiss A1')).out).toBe("Dismissed: Host 'rack1' does not answer.\n");
    expect(received.at(-1)?.method).toBe('POST');
    const { code, err } = await run('alert dismiss other');
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining('There is no alert other.')]);
  });
});
