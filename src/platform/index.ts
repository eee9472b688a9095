/**
 * What every room needs of the operating system and Node lacks: files that survive a power cut, kernel file locks,
 * and external programs with a bound. It knows nothing of backups. Every room may import it.
 */
export { alignedMemory, DirectReader, DirectWriter, directRoom, readDirect } from './direct-file.ts';
export {
  makeDirectoryDurable,
  syncDirectory,
  temporarySuffix,
  unlinkDurable,
  writeFileDurable,
} from './durable-file.ts';
export { type FileLock, tryLockFile } from './file-lock.ts';
export { ensurePrivateDirectory, ensurePrivateFile } from './private-files.ts';
export { RunError, type RunOptions, type RunResult, run } from './run.ts';
