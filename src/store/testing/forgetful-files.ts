import { dirname } from 'node:path';
import type { Files } from '../backends/files.ts';

interface Node {
  kind: 'file' | 'directory';
  /** Files: content now, and as of the last sync. */
  data: Buffer;
  durableData: Buffer;
  /** Directories: entries now, and as of the last sync. */
  entries: Map<string, Node>;
  durableEntries: Map<string, Node>;
}

/**
 * An in-memory file system that remembers, beside what is, what would be left after a power cut: of a file what was
 * synced, of a directory the entries it had when it was synced. `onCall` runs before and after every change.
 */
export class ForgetfulFiles implements Files {
  readonly #root: Node;
  #locked = new Set<string>();
  onCall: (call: string) => void | Promise<void> = () => {};

  constructor(root: Node = directoryNode()) {
    this.#root = root;
  }

  /**
   * What a machine finds when it starts again: `lost` after a power cut, `kept` when only the process died. With numbers
   * by chance (`below`): a power cut that came when some of what was not synced had reached the disk, each change of a
   * directory for itself, of a file any part of what was written at its end.
   */
  clone(what: 'lost' | 'kept' | ((below: number) => number)): ForgetfulFiles {
    const isKept = () => (typeof what === 'string' ? what === 'kept' : what(2) === 1);
    const entriesOf = ({ entries, durableEntries }: Node) => {
      const left = new Map<string, Node>();
      for (const name of new Set([...durableEntries.keys(), ...entries.keys()])) {
        const child = isKept() ? entries.get(name) : durableEntries.get(name);
        if (child !== undefined) left.set(name, child);
      }
      return left;
    };
    const dataOf = ({ data, durableData }: Node) => {
      if (typeof what === 'string') return what === 'lost' ? durableData : data;
      return data.subarray(0, durableData.length + what(data.length - durableData.length + 1));
    };
    const copy = (node: Node): Node => {
      const entries = new Map([...entriesOf(node)].map(([name, child]) => [name, copy(child)]));
      const data = Buffer.from(dataOf(node));
      return { kind: node.kind, data, durableData: data, entries, durableEntries: new Map(entries) };
    };
    return new ForgetfulFiles(copy(this.#root));
  }

  /** What the medium does to a file by itself, durably. */
  damage(path: string, change: (data: Buffer) => Buffer): void {
    const node = this.#node(path);
    node.data = change(Buffer.from(node.data));
    node.durableData = node.data;
  }

  /** Every file with its path, for a test that damages them. */
  paths(): string[] {
    const walk = (node: Node, path: string): string[] =>
      [...node.entries].flatMap(([name, child]) =>
        child.kind === 'file' ? [`${path}/${name}`] : walk(child, `${path}/${name}`),
      );
    return walk(this.#root, '').sort();
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#change(`mkdir ${path}`, () => {
      let node = this.#root;
      for (const name of partsOf(path)) {
        let child = node.entries.get(name);
        if (child === undefined) {
          child = directoryNode();
          node.entries.set(name, child);
        }
        // The contract says durable; real mkdir is not, and the platform's own tests are where that is proved.
        node.durableEntries.set(name, child);
        node = child;
      }
    });
  }

  async create(path: string) {
    const file: Node = { ...directoryNode(), kind: 'file' };
    await this.#change(`create ${path}`, () => this.#parent(path).entries.set(nameOf(path), file));
    return {
      write: (data: Uint8Array) =>
        this.#change(`write ${path}`, () => {
          file.data = Buffer.concat([file.data, data]);
        }),
      sync: () =>
        this.#change(`sync ${path}`, () => {
          file.durableData = file.data;
        }),
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#change(`rename ${to}`, () => {
      const node = this.#node(from);
      this.#parent(to).entries.set(nameOf(to), node);
      this.#parent(from).entries.delete(nameOf(from));
    });
  }

  async unlink(path: string): Promise<void> {
    await this.#change(`unlink ${path}`, () => {
      this.#node(path);
      this.#parent(path).entries.delete(nameOf(path));
    });
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#change(`sync ${path}`, () => {
      const node = this.#node(path);
      node.durableEntries = new Map(node.entries);
    });
  }

  async read(path: string, range?: { offset: number; length: number }): Promise<Buffer> {
    const { data } = this.#node(path);
    return Buffer.from(range === undefined ? data : data.subarray(range.offset, range.offset + range.length));
  }

  async stat(path: string) {
    const node = this.#node(path);
    return { sizeBytes: node.data.length, directory: node.kind === 'directory' };
  }

  async readDirectory(path: string) {
    return [...this.#node(path).entries].map(([name, { kind }]) => ({
      name,
      directory: kind === 'directory',
    }));
  }

  lock(path: string) {
    if (this.#locked.has(path)) return undefined;
    this.#locked.add(path);
    return { isThere: () => true, [Symbol.dispose]: () => void this.#locked.delete(path) };
  }

  async #change(call: string, action: () => void): Promise<void> {
    await this.onCall(call);
    action();
    await this.onCall(`${call} (done)`);
  }

  #node(path: string): Node {
    let node: Node | undefined = this.#root;
    for (const name of partsOf(path)) node = node?.entries.get(name);
    if (node === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return node;
  }

  #parent(path: string): Node {
    return this.#node(dirname(path));
  }
}

function directoryNode(): Node {
  return {
    kind: 'directory',
    data: Buffer.alloc(0),
    durableData: Buffer.alloc(0),
    entries: new Map(),
    durableEntries: new Map(),
  };
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function nameOf(path: string): string {
  return partsOf(path).at(-1) ?? '';
}
