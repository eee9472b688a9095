import { randomUUID } from 'node:crypto';
import type { HeldLease, HolderSeen, LeaseService, ObjectClient, StoredObject } from './object-client.ts';

/**
 * A lease out of plain objects, for services that have none (S3).
 *
 * Whoever wants the lease puts a **claim** under the next **epoch**: `lock/<epoch>` where the service honours conditional
 * puts, so that only one can; `lock/<epoch>-<holder>` elsewhere. Either way it then lists the claims, and holds the lease
 * only if all others are, unchanged, those it saw before it put its own. Of two that claim at once, the one that lists
 * later sees the other's claim and withdraws its own; it may be that both do, and neither gets in this time. So this needs
 * listings that show every put that has been answered, which S3 promises; conditional puts are a second wall.
 *
 * The holder puts its claim again and again, with a counter. A claim of an epoch that does not change for a lease time is
 * dead; the next epoch ends it for good, for a holder that finds a later epoch has lost. Released claims stay, so epochs
 * never begin anew; earlier epochs are deleted by the next holder.
 */
interface Claim {
  holder: string;
  renewal: number;
  ttlMs: number;
  released: boolean;
}

interface PlannedClaim {
  key: string;
  epoch: number;
  /** Marks by key. */
  known: ReadonlyMap<string, string>;
}

interface SeenClaim extends StoredObject {
  epoch: number;
}

export function claimLeases(
  client: Pick<ObjectClient, 'put' | 'get' | 'listPage' | 'delete'>,
  prefix: string,
  options: { ttlMs: number; conditional: () => Promise<boolean> },
): LeaseService {
  const holder = randomUUID();

  async function list(signal: AbortSignal): Promise<SeenClaim[]> {
    const claims: SeenClaim[] = [];
    let after: string | undefined;
    do {
      const page = await client.listPage(prefix, after, signal);
      for (const object of page.objects) {
        const [, digits] = /^([0-9]{12})(?:-[0-9a-f-]{36})?$/.exec(object.key.slice(prefix.length)) ?? [];
        if (digits !== undefined) claims.push({ ...object, epoch: Number(digits) });
      }
      after = page.next;
    } while (after !== undefined);
    return claims;
  }

  /** The claims of the last epoch, and whether anybody may still stand behind one of them. */
  async function newest(signal: AbortSignal) {
    const all = await list(signal);
    const epoch = Math.max(0, ...all.map((claim) => claim.epoch));
    const last = all.filter((claim) => claim.epoch === epoch);
    const live: Claim[] = [];
    for (const { key } of last) {
      const bytes = await client.get(key, undefined, signal);
      const claim = bytes && decodeClaim(bytes, options.ttlMs);
      if (claim !== undefined && !claim.released) live.push(claim);
    }
    const mark = last.map(({ key, mark }) => `${key} ${mark}`).join('\n');
    return { all, epoch, live, mark };
  }

  async function put(key: string, claim: Claim, ifAbsent: boolean, signal: AbortSignal): Promise<boolean> {
    return await client.put(key, Buffer.from(JSON.stringify(claim)), ifAbsent ? { ifAbsent } : {}, signal);
  }

  function hold(key: string, epoch: number): HeldLease {
    const claim: Claim = { holder, renewal: 0, ttlMs: options.ttlMs, released: false };
    return {
      ttlMs: options.ttlMs,
      async renew(signal) {
        claim.renewal++;
        await put(key, claim, false, signal);
        return (await list(signal)).every((other) => other.epoch <= epoch);
      },
      async release(signal) {
        claim.renewal++;
        await put(key, { ...claim, released: true }, false, signal);
      },
    };
  }

  /** What to claim, if the lease can be had, and all the claims that there were then. */
  async function plan(
    expired: HolderSeen | undefined,
    signal: AbortSignal,
  ): Promise<PlannedClaim | undefined> {
    const seen = await newest(signal);
    if (seen.live.length > 0 && seen.mark !== expired?.mark) return undefined;
    const epoch = seen.epoch + 1;
    const digits = String(epoch).padStart(12, '0');
    const key = `${prefix}${digits}${(await options.conditional()) ? '' : `-${holder}`}`;
    return { key, epoch, known: new Map(seen.all.map((claim) => [claim.key, claim.mark])) };
  }

  /** Where the answer to an earlier try got lost. */
  async function isOurs(key: string, signal: AbortSignal): Promise<boolean> {
    const bytes = await client.get(key, undefined, signal);
    return bytes !== undefined && decodeClaim(bytes, options.ttlMs).holder === holder;
  }

  /** Kept from one try to the next: what has come since the first is not to be taken for old. */
  let pending: PlannedClaim | undefined;

  return {
    async look(signal) {
      const { live, mark } = await newest(signal);
      return live.length === 0 ? undefined : { mark, ttlMs: Math.max(...live.map(({ ttlMs }) => ttlMs)) };
    },
    async take(expired, signal) {
      pending ??= await plan(expired, signal);
      if (pending === undefined) return undefined;
      const { key, epoch, known } = pending;
      const first: Claim = { holder, renewal: 0, ttlMs: options.ttlMs, released: false };
      if (!(await put(key, first, await options.conditional(), signal)) && !(await isOurs(key, signal))) {
        pending = undefined;
        return undefined;
      }
      const others = (await list(signal)).filter((other) => other.key !== key);
      if (others.some((other) => known.get(other.key) !== other.mark)) {
        // Not deleted: the name could then be used again, and a deletion that arrives twice would hit another's claim.
        await put(key, { ...first, released: true }, false, signal);
        pending = undefined;
        return undefined;
      }
      for (const { key: old } of others) await client.delete(old, signal);
      return hold(key, epoch);
    },
  };
}

/** Of a claim that cannot be read, only time tells whether anybody stands behind it. */
function decodeClaim(bytes: Buffer, ttlMs: number): Claim {
  try {
    const claim = JSON.parse(bytes.toString('utf8')) as Partial<Claim>;
    return {
      holder: String(claim.holder),
      renewal: Number(claim.renewal),
      ttlMs: typeof claim.ttlMs === 'number' && claim.ttlMs > 0 ? Math.min(claim.ttlMs, 600_000) : ttlMs,
      released: claim.released === true,
    };
  } catch {
    return { holder: '', renewal: 0, ttlMs, released: false };
  }
}
