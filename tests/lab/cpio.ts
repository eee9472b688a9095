/** One entry of an archive. Directories carry no data; the data of a link is its target. */
export interface CpioEntry {
  /** Path without a leading slash. */
  path: string;
  kind: 'directory' | 'file' | 'link';
  /** Permission bits. */
  mode: number;
  data?: Uint8Array;
}

const kinds = { directory: 0o040000, file: 0o100000, link: 0o120000 };
const trailer = 'TRAILER!!!';

/**
 * Writes the "newc" archive that the kernel unpacks as its first root file system (cpio(5) and the kernel's
 * `early-userspace/buffer-format`). Owners are root and times are zero, so equal input gives equal bytes.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const push = (bytes: Uint8Array) => {
    const padding = -(length + bytes.length) & 3;
    parts.push(bytes, new Uint8Array(padding));
    length += bytes.length + padding;
  };
  const write = (inode: number, mode: number, path: string, data: Uint8Array) => {
    const name = Buffer.from(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    push(Buffer.concat([Buffer.from(header), name]));
    push(data);
  };
  for (const [index, entry] of entries.entries()) {
    write(index + 1, kinds[entry.kind] | entry.mode, entry.path, entry.data ?? new Uint8Array());
  }
  write(0, 0, trailer, new Uint8Array());
  return Buffer.concat(parts);
}
