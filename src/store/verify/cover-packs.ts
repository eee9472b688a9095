import type { IndexSection } from '../index-segment.ts';
import { segmentSections } from '../index-segment.ts';
import { indexPrefix } from '../layout.ts';
import { saveSegment } from '../load-index.ts';
import { fetchObject } from '../object-access.ts';
import type { StoreState } from '../store-state.ts';
import { readContents } from './pack-contents.ts';

/** Of trailers held in memory before they are written as a segment. */
const segmentTargetBytes = 16 * 1024 * 1024;

/**
 * Writes segments with everything that only the segment `leaving` still says (`rest`) and with the packs that no segment
 * covers. When it resolves, `leaving` can go.
 */
export async function coverPacks(
  state: StoreState,
  rest: readonly IndexSection[],
  leaving: string,
): Promise<void> {
  const { backend, sink, generations } = state;
  const covered = new Set<string>();
  for await (const { name } of backend.list(indexPrefix)) {
    if (name === leaving) continue;
    const segment = await fetchObject(backend, name);
    if (!Buffer.isBuffer(segment)) continue;
    for (const { packId } of segmentSections(segment)) covered.add(packId);
  }
  let pending: IndexSection[] = [];
  let bytes = 0;
  const save = async () => {
    if (pending.length > 0) await saveSegment(backend, pending);
    pending = [];
    bytes = 0;
  };
  const add = async (section: IndexSection) => {
    if (covered.has(section.packId) || generations.isGone(section.packId)) return;
    covered.add(section.packId);
    pending.push(section);
    bytes += section.trailer.length;
    if (bytes >= segmentTargetBytes) await save();
  };
  for (const section of rest) await add(section);
  for (const [packId, packBytes] of [...sink.packs.present]) {
    if (covered.has(packId)) continue;
    const contents = await readContents(backend, packId, packBytes);
    if (contents?.trailer !== undefined) await add({ packId, packBytes, trailer: contents.trailer });
  }
  await save();
}
