/**
 * An NBD client of our own: what the protocol is and which messages we use stands in `README.md`. It knows nothing of
 * images or of QEMU.
 */
export type { NbdAddress } from './channel.ts';
export { connectNbd, type NbdClient, type NbdConnectOptions } from './client.ts';
export type { NbdExport, Stretch } from './exports.ts';
export { NbdError, type NbdErrorKind } from './nbd-error.ts';
export type { StatusExtent } from './replies.ts';
export { type NbdServer, type NbdServerOptions, serveNbd } from './server.ts';
