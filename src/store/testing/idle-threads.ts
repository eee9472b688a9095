/** Uses worker threads, leaves them open, and comes to its end: the process must end too. */
import { ChunkWorkers } from '../chunk-workers.ts';
import { Slab } from '../slab.ts';

const workers = new ChunkWorkers({ threads: 2, bytesBeforeThreads: 0 });
const slabs = [Slab.allocate(65_536, 0), Slab.allocate(65_536, 0)];
await Promise.all(slabs.map((slab) => workers.run(slab, { kind: 'scan', count: 1, chunkBytes: 65_536 })));
process.stdout.write(`${workers.threads} threads\n`);
