/**
 * The API as its clients see it: the shapes both sides agree on, and a typed client. Needs nothing of the service;
 * the command line, and everything else that talks to a service, goes through here.
 */
export { apiVersion, type ItemAddress, segmentOf, type VaultAddress } from './addresses.ts';
export { ApiError } from './api-error.ts';
export type { HoldfastClient } from './client.ts';
export { type ClientOptions, createClient } from './connect.ts';
export type { JobFilter } from './job-filter.ts';
export { jobsCsvHeader, jobsCsvLine } from './jobs-csv.ts';
export type { Accepted } from './operations.ts';
export { pause } from './patience.ts';
export * from './shapes.ts';
