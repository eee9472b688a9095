import { type CallOptions, clientOver, type HoldfastClient } from './client.ts';
import { createTransport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions, CallOptions {}

/** A client of the service at an address. */
export function createClient(options: ClientOptions): HoldfastClient {
  return clientOver(createTransport(options), options);
}
