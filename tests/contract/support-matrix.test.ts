import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { expect, it } from 'vitest';
import { clientsOf } from './contract-service.ts';
import { type Row, supportMatrix } from './support-matrix.ts';

const clients = clientsOf('https://127.0.0.1:1', '', async () => '');
const packages: Record<Row['client'], string> = {
  vaults: '@azure/arm-recoveryservices',
  backup: '@azure/arm-recoveryservicesbackup',
  compute: '@azure/arm-compute',
  resources: '@azure/arm-resources',
  subscriptions: '@azure/arm-resources-subscriptions',
};

/** The operations of a client's group; of the forms that begin one and wait for it, one. */
function methodsOf(group: object): Set<string> {
  const prototype = Object.getPrototypeOf(group) as object;
  const names = prototype === Object.prototype ? Object.keys(group) : Object.getOwnPropertyNames(prototype);
  return new Set(
    names
      .filter((name) => name !== 'constructor' && !name.startsWith('_') && !/Paging(Page|All)$/.test(name))
      .map((name) => name.replace(/^begin(.)/, (_all, first: string) => first.toLowerCase()))
      .map((name) => name.replace(/AndWait$/, '')),
  );
}

it('has every operation of the clients, once', () => {
  const listed = supportMatrix.flatMap(({ client, group, methods }) =>
    methods.map((method) => `${client}.${group}.${method}`),
  );
  expect(listed.filter((each, at) => listed.indexOf(each) !== at)).toEqual([]);
  const groups = new Set(supportMatrix.map(({ client, group }) => `${client}.${group}`));
  const real = Object.entries(clients).flatMap(([name, client]) =>
    Object.entries(client).flatMap(([group, value]) =>
      // Of Compute only machines and their restore points are spoken of here.
      typeof value !== 'object' || value === null || (name === 'compute' && !groups.has(`${name}.${group}`))
        ? []
        : group.startsWith('_') || group === 'pipeline'
          ? []
          : [...methodsOf(value)].map((method) => `${name}.${group}.${method}`),
    ),
  );
  expect(listed.sort()).toEqual(real.sort());
});

it('has a call in these tests for what it says is offered', () => {
  const tests = globSync('*.test.ts', { cwd: import.meta.dirname })
    .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
    .join('\n');
  const missing = supportMatrix
    .filter(({ support }) => support !== 'refused')
    .flatMap(({ client, group, methods }) =>
      methods
        .filter((method) => {
          const first = method.charAt(0).toUpperCase() + method.slice(1);
          return (
            !new RegExp(`\\b(?:${method}|begin${first}(?:AndWait)?)\\(`).test(tests) || !tests.includes(group)
          );
        })
        .map((method) => `${client}.${group}.${method}`),
    );
  expect(missing).toEqual([]);
});

it('is what docs/azure-compatibility.md says', async () => {
  const lines = Object.entries(packages).flatMap(([client, name]) => {
    const { version } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../node_modules', name, 'package.json'), 'utf8'),
    ) as { version: string };
    const rows = supportMatrix
      .filter((row) => row.client === client)
      .map(({ group, methods, support, note = '' }) =>
        format('| %s | %s | %s | %s |', group, methods.join(', '), support, note),
      );
    return [
      '',
      `## ${name} ${version}`,
      '',
      '| group | operations | offered | |',
      '| --- | --- | --- | --- |',
      ...rows,
    ];
  });
  const head = readFileSync(join(import.meta.dirname, 'compatibility-head.md'), 'utf8').trimEnd();
  await expect(`${head}\n${lines.join('\n')}\n`).toMatchFileSnapshot('../../docs/azure-compatibility.md');
});
