import { expect, it } from 'vitest';
import { hookProgram } from './agent-report.ts';

const line = (...words: string[]) => `${['/usr/sbin/qemu-ga', ...words].join('\0')}\0`;

it.each([
  [line('-d'), '', false],
  [line('-F'), '', true],
  [line('-F/etc/qemu-ga/fsfreeze-hook'), '', '/etc/qemu-ga/fsfreeze-hook'],
  [line('--daemonize', '--fsfreeze-hook'), '', true],
  [line('--fsfreeze-hook=/etc/qemu/fsfreeze-hook'), '', '/etc/qemu/fsfreeze-hook'],
  [line(), '[general]\nfsfreeze-hook = /etc/h\nverbose=true\n', '/etc/h'],
  [line(), '[general]\n#fsfreeze-hook=/etc/h\n', false],
  [line('--path', '/dev/vport0p1-F'), '', false],
])(
  'tells from command line and settings whether an agent runs hooks, and which (%#)',
  (words, settings, expected) => {
    expect(hookProgram(words, settings)).toBe(expected);
  },
);
