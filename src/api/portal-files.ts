import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { messageOf } from '../errors/index.ts';

/** Codings a file is kept in, the best first. */
export const codings = ['br', 'gzip', 'identity'] as const;
export type Coding = (typeof codings)[number];

export interface PortalFile {
  contentType: string;
  /** Its name has a digest of its content, so that it never changes. */
  isImmutable: boolean;
  etag: string;
  bodies: Partial<Record<Coding, Buffer>> & { identity: Buffer };
}

/** The pages as they were built: the document that all addresses show, and what it loads, by path. */
export interface PortalFiles {
  document: string;
  files: ReadonlyMap<string, PortalFile>;
}

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

const suffixes: Record<string, Coding> = { '.br': 'br', '.gz': 'gzip' };

/** Where Vite puts what it names by its content. */
const assets = 'assets/';

/**
 * Reads a build of the portal into memory, a few megabytes: what is asked for later is looked up here and never reaches
 * the file system, and a build that takes its place does not mix with it.
 * @returns undefined where there is none
 */
export async function loadPortal(
  directory: string,
  log: { warn(fields: object, message: string): void },
): Promise<PortalFiles | undefined> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const bodies = new Map<string, Partial<Record<Coding, Buffer>>>();
    for (const entry of entries.filter((entry) => entry.isFile())) {
      const file = join(entry.parentPath, entry.name);
      const coding = suffixes[extname(entry.name)] ?? 'identity';
      const name = file.slice(
        directory.length + 1,
        coding === 'identity' ? undefined : -extname(file).length,
      );
      bodies.set(name, { ...bodies.get(name), [coding]: await readFile(file) });
    }
    const document = bodies.get('index.html')?.identity;
    if (document === undefined) return undefined;
    bodies.delete('index.html');
    const files = new Map<string, PortalFile>();
    for (const [name, coded] of bodies) {
      const contentType = types[extname(name)];
      if (coded.identity === undefined || contentType === undefined) continue;
      files.set(name, {
        contentType,
        isImmutable: name.startsWith(assets),
        etag: `"${createHash('sha256').update(coded.identity).digest('base64url').slice(0, 22)}"`,
        bodies: { ...coded, identity: coded.identity },
      });
    }
    return { document: document.toString('utf8'), files };
  } catch (error) {
    // Not built: whoever asks for a page is told so.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    log.warn({ directory, err: error }, `the portal can't be served: ${messageOf(error)}`);
    return undefined;
  }
}

/** The best coding of a file that a browser takes, by its Accept-Encoding. */
export function codingFor(accept: string | undefined, { bodies }: PortalFile): Coding {
  const wanted = new Set(
    (accept ?? '')
      .toLowerCase()
      .split(',')
      .map((part) => part.trim().split(/\s*;\s*/))
      .filter(([, quality]) => quality === undefined || Number(quality.replace('q=', '')) > 0)
      .map(([name]) => name),
  );
  return codings.find((coding) => bodies[coding] !== undefined && wanted.has(coding)) ?? 'identity';
}
