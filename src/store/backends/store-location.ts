import { HoldfastError } from '../../errors/index.ts';

export interface DirectoryLocation {
  kind: 'directory';
  description: string;
  path: string;
}

export interface S3Location {
  kind: 's3';
  /** For messages. */
  description: string;
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
  /** Undefined: AWS. */
  endpoint: string | undefined;
  region: string;
  /** Whether the bucket is in the path of requests, and not in the host name. */
  pathStyle: boolean;
}

export interface BlobLocation {
  kind: 'azblob';
  description: string;
  account: string;
  container: string;
  prefix: string;
  endpoint: string;
}

export type StoreLocation = DirectoryLocation | S3Location | BlobLocation;

const prefixPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;
const prefixLimit = 512;

/** Whether `text` is an address of object storage rather than a path. */
export function isStoreUrl(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text);
}

/**
 * Reads where a store is: an absolute path, `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&path-style=true|false]`, or
 * `azblob://ACCOUNT/CONTAINER[/PREFIX][?endpoint=URL]`.
 * @throws InvalidInput
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text.startsWith('/')) return { kind: 'directory', description: text, path: text };
  // URL would quietly follow the dots.
  const hasDots = /\/\.{1,2}(\/|\?|$)/.test(text);
  const url = isStoreUrl(text) && !hasDots ? URL.parse(text) : null;
  if (url === null)
    throw invalid(text, 'it is neither an absolute path nor an address like s3://BUCKET/PREFIX');
  if (url.username !== '' || url.password !== '')
    throw invalid(url.host, 'credentials do not belong in it: give them in a file of their own');
  if (url.port !== '' || url.hash !== '')
    throw invalid(text, 'it has a port or a fragment; a server of your own is named with ?endpoint=URL');
  const path = decodeURIComponent(url.pathname).replace(/^\/|\/$/g, '');
  if (url.protocol === 's3:') return s3Location(text, url, path);
  if (url.protocol === 'azblob:') return blobLocation(text, url, path);
  throw invalid(text, `${url.protocol}// is not known; s3:// and azblob:// are`);
}

function s3Location(text: string, url: URL, prefix: string): S3Location {
  const options = optionsOf(text, url, ['endpoint', 'region', 'path-style']);
  const bucket = url.hostname;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(bucket))
    throw invalid(text, `'${bucket}' is not the name of a bucket`);
  checkPrefix(text, prefix);
  const endpoint = endpointOf(text, options.get('endpoint'));
  const region = options.get('region') ?? 'us-east-1';
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw invalid(text, `'${region}' is not a region`);
  const style = options.get('path-style');
  if (style !== undefined && style !== 'true' && style !== 'false')
    throw invalid(text, 'path-style is true or false');
  return {
    kind: 's3',
    description: describe(`s3://${bucket}`, prefix, endpoint),
    bucket,
    prefix,
    endpoint,
    region,
    // Servers of one's own rarely have a name for every bucket.
    pathStyle: style === undefined ? endpoint !== undefined : style === 'true',
  };
}

function blobLocation(text: string, url: URL, path: string): BlobLocation {
  const options = optionsOf(text, url, ['endpoint']);
  const account = url.hostname;
  if (!/^[a-z0-9]{3,24}$/.test(account))
    throw invalid(text, `'${account}' is not the name of a storage account`);
  const [container = '', ...rest] = path.split('/');
  if (!/^[a-z0-9](-?[a-z0-9]){2,62}$/.test(container))
    throw invalid(text, `'${container}' is not the name of a container`);
  const prefix = rest.join('/');
  checkPrefix(text, prefix);
  const given = endpointOf(text, options.get('endpoint'));
  return {
    kind: 'azblob',
    description: describe(`azblob://${account}/${container}`, prefix, given),
    account,
    container,
    prefix,
    endpoint: given ?? `https://${account}.blob.core.windows.net`,
  };
}

function optionsOf(text: string, url: URL, known: readonly string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const [key, value] of url.searchParams) {
    // The value may be a secret in the wrong place: it is not repeated.
    if (!known.includes(key))
      throw invalid(withoutQuery(text), `it has no option '${key}' (${known.join(', ')})`);
    if (options.has(key)) throw invalid(withoutQuery(text), `it has the option '${key}' twice`);
    options.set(key, value);
  }
  return options;
}

function endpointOf(text: string, endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const url = URL.parse(endpoint);
  const isPlain =
    url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!isPlain || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw invalid(withoutQuery(text), 'its endpoint is not an address like https://HOST:PORT');
  return endpoint.replace(/\/+$/, '');
}

function checkPrefix(text: string, prefix: string): void {
  if (prefix !== '' && (!prefixPattern.test(prefix) || prefix.length > prefixLimit))
    throw invalid(
      withoutQuery(text),
      `'${prefix}' is not a prefix: letters, digits, '-', '_' and '.' between slashes`,
    );
}

function describe(place: string, prefix: string, endpoint: string | undefined): string {
  const where = prefix === '' ? place : `${place}/${prefix}`;
  return endpoint === undefined ? where : `${where} (${endpoint})`;
}

function withoutQuery(text: string): string {
  return text.replace(/\?.*$/, '');
}

function invalid(text: string, why: string): HoldfastError {
  return new HoldfastError('InvalidInput', `'${text}' is not the place of a store: ${why}.`, {
    target: text,
    action:
      'Give an absolute path, s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX (docs/stores.md).',
  });
}
