/** The API as a browser sees it: everything but the connection, which a browser has of its own. */
export { apiVersion, type ItemAddress, segmentOf, type VaultAddress } from './addresses.ts';
export { ApiError } from './api-error.ts';
export { type CallOptions, clientOver, type HoldfastClient } from './client.ts';
export { type JobFilter, jobFilter } from './job-filter.ts';
export type { Accepted } from './operations.ts';
export { pause } from './patience.ts';
export { type Exchange, sendOver } from './send.ts';
export * from './shapes.ts';
