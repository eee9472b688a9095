import { HoldfastError } from '../../errors/index.ts';
import type { Backend } from '../backend.ts';
import { fileSystemBackend } from './file-system.ts';
import type { WriteGate } from './object-client.ts';
import { type ObjectStoreOptions, objectStoreBackend } from './object-store.ts';
import { parseStoreCredentials, type S3Credentials } from './store-credentials.ts';
import { parseStoreLocation } from './store-location.ts';

export interface BackendOptions extends ObjectStoreOptions {
  /**
   * As in the file the user gave, parsed. S3 without: what the SDK finds by itself (environment, ~/.aws, the machine's
   * role). Azure Blob needs them.
   */
  credentials?: unknown;
  /** How long a lease lasts when its holder dies. Default 60 s, which is also the most that Azure grants. */
  leaseMs?: number;
  /** Names in a page of a listing. Default: what the service likes. */
  pageSize?: number;
}

/**
 * The backend for a path or an address. The client of a service is loaded here, and only where it is needed: each takes
 * a noticeable time and tens of megabytes. Nothing is asked of the service yet.
 * @throws InvalidInput
 */
export async function openBackend(place: string, options: BackendOptions = {}): Promise<Backend> {
  const location = parseStoreLocation(place);
  const { credentials, leaseMs = 60_000, pageSize } = options;
  const parsed = credentials === undefined ? undefined : parseStoreCredentials(location.kind, credentials);
  switch (location.kind) {
    case 'directory':
      return fileSystemBackend(location.path);
    case 's3': {
      const [sdk, { s3Client }] = await Promise.all([import('@aws-sdk/client-s3'), import('./s3-client.ts')]);
      const keys = parsed as S3Credentials | undefined;
      const make = (gate: WriteGate) =>
        s3Client(sdk, { location, credentials: keys, gate, leaseMs, pageSize });
      return objectStoreBackend(make, location.prefix, options);
    }
    case 'azblob': {
      if (parsed === undefined)
        throw new HoldfastError('InvalidInput', `The store at ${location.description} needs credentials.`, {
          target: location.description,
          action: 'Give a file with an account key or a shared access signature (docs/stores.md).',
        });
      const [sdk, { blobClient }] = await Promise.all([
        import('@azure/storage-blob'),
        import('./blob-client.ts'),
      ]);
      const make = (gate: WriteGate) =>
        blobClient(sdk, { location, credentials: parsed, gate, leaseMs, pageSize });
      return objectStoreBackend(make, location.prefix, options);
    }
  }
}
