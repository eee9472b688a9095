import { clientOver, sendOver } from '../../../src/api/client/browser.ts';
import { bareExchange, exchange } from './exchange.ts';

const endpoint = new URL(window.location.origin);

/** The API, for whoever is signed in here. */
export const client = clientOver(sendOver(exchange, endpoint, undefined), { endpoint: endpoint.origin });

/** The API without waiting for anybody to sign in: for signing in itself. */
export const sendBare = sendOver(bareExchange, endpoint, undefined);
