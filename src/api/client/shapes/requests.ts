/** What requests of Azure's clients have in common. */
import { z } from 'zod';

/** One of Azure's words, whatever its case. `why` tells what is the matter with the others. */
export const word = <const Words extends readonly string[]>(words: Words, why?: string) =>
  z.preprocess(
    (given) =>
      words.find((known) => typeof given === 'string' && known.toLowerCase() === given.toLowerCase()) ??
      given,
    z.enum(words, why === undefined ? undefined : { error: `only ${words.join(', ')} is offered: ${why}` }),
  );

/** Told, and never taken: clients that read, change and write send it back. */
export const readOnly = z.unknown().optional();

export const readOnlyResource = {
  id: readOnly,
  name: readOnly,
  type: readOnly,
  etag: readOnly,
  systemData: readOnly,
};

/** A field of Azure's that is taken where it asks for nothing, and refused where it does. */
export const notOffered = (why: string) =>
  z.union([z.literal(''), z.null(), z.tuple([])], { error: `it is not offered: ${why}` }).optional();
