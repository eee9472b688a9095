import { open } from 'node:fs/promises';

/** Makes a new file with this content, readable by its owner only, and makes the content durable. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
