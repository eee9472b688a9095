/**
 * Guards the house: each folder of `src/` is a room that may import only what this table lists, only through the
 * other room's door (`index.ts`), and never in a circle. `docs/architecture.md` draws the same table.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve } from 'node:path';

/** Rooms whose vocabulary every other room may use. */
const everywhere = ['errors', 'platform'];

const mayImport: Record<string, readonly string[]> = {
  errors: [],
  platform: [],
  store: [],
  nbd: [],
  machines: ['nbd'],
  protection: [],
  catalog: ['protection'],
  access: ['catalog'],
  jobs: ['store', 'nbd', 'machines', 'protection', 'catalog', 'access'],
  api: ['api/client', 'protection', 'catalog', 'access', 'jobs'],
  'api/client': [],
  cli: ['api/client'],
  portal: ['api/client'],
};

/** Doors other than `index.ts`: what a second process may import of a room. */
const doors = new Set(['src/api/client/index.ts', 'src/api/client/browser.ts']);

const root = resolve(import.meta.dirname, '..');
const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)\s*import\s*'([^']+)'/g;

function roomOf(file: string): string | undefined {
  if (file.startsWith('portal/src/')) return 'portal';
  const [top, room, inner] = file.split('/');
  if (top !== 'src' || room === undefined || inner === undefined) return undefined;
  return file.startsWith('src/api/client/') ? 'api/client' : room;
}

const complaints: string[] = [];
const edges = new Map<string, string[]>();
for (const file of globSync(['src/**/*.ts', 'portal/src/**/*.{ts,tsx}'], { cwd: root }).sort()) {
  const room = roomOf(file);
  if (room !== undefined && mayImport[room] === undefined)
    complaints.push(`${file}: no room '${room}' in the plan`);
  const text = readFileSync(join(root, file), 'utf8');
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (specifier === undefined || !specifier.startsWith('.')) continue;
    const target = relative(root, normalize(join(root, dirname(file), specifier)));
    edges.set(file, [...(edges.get(file) ?? []), target]);
    const targetRoom = roomOf(target);
    if (targetRoom === room || room === undefined) continue;
    const isTest = file.endsWith('.test.ts') || file.includes('/testing/');
    if (targetRoom === undefined) {
      if (!(isTest && target.startsWith('tests/')))
        complaints.push(`${file}: imports ${target}, which is no room`);
      continue;
    }
    const allowed = [...everywhere, ...(mayImport[room] ?? [])];
    if (!allowed.includes(targetRoom))
      complaints.push(`${file}: ${room} may not import ${targetRoom} (${target})`);
    else if (target !== `src/${targetRoom}/index.ts` && !doors.has(target))
      complaints.push(`${file}: enter ${targetRoom} by its door, not ${target}`);
  }
}

/** Reports each import circle once, from the file where the walk first met it. */
function findCircles(file: string, path: string[], done: Set<string>): void {
  const at = path.indexOf(file);
  if (at >= 0) {
    complaints.push(`import circle: ${[...path.slice(at), file].join(' -> ')}`);
    return;
  }
  if (done.has(file)) return;
  for (const next of edges.get(file) ?? []) findCircles(next, [...path, file], done);
  done.add(file);
}
const done = new Set<string>();
for (const file of edges.keys()) findCircles(file, [], done);

for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
else console.log(`the house is in order: ${edges.size} files`);
