import type { FastifyReply } from 'fastify';
import type { VaultRow } from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import {
  checkNewSecret,
  type KeyRing,
  type KeyWrapInfo,
  type NewSecret,
  newKeyFile,
  newRecoveryKey,
  type Store,
  type StoreSecret,
  serviceKeyLabel,
} from '../../jobs/index.ts';
import {
  type VaultKey,
  type VaultKeyRequest,
  vaultKeyRequest,
  vaultKeyUpdate,
  vaultUnlockRequest,
} from '../client/index.ts';
import { type ApiScope, param, parseBody, type RegisterRoutes, vaultOf, vaultPath } from '../scope.ts';

const kindOf = { 'key-file': 'KeyFile', passphrase: 'Passphrase', recovery: 'RecoveryKey' } as const;
const secretKindOf = { KeyFile: 'key-file', Passphrase: 'passphrase', RecoveryKey: 'recovery' } as const;

const defaultLabels = { KeyFile: 'key file', Passphrase: 'passphrase', RecoveryKey: 'recovery key' } as const;

/** What opens the store of a vault. A secret that was made is in the answer that tells so, and nowhere else. */
export const registerVaultKeys: RegisterRoutes = (app, scope) => {
  const { db, estate, log } = scope.workshop;
  const path = `${vaultPath}/providers/Holdfast.Fleet/keys`;

  app.get(path, async (request) => {
    const row = await vaultOf(db, request);
    const ring = keysOf(row, await estate.store(row));
    const service = await serviceKey(scope, row, ring);
    const { keys, damaged } = await ring.list();
    for (const message of damaged) log.warn({ vault: row.name }, message);
    return { value: keys.map((key) => present(scope, row, key, service)) };
  });

  app.post(path, async (request, reply) => {
    const row = await vaultOf(db, request);
    const { properties } = parseBody(vaultKeyRequest, request);
    const secret = newSecretOf(properties);
    const ring = keysOf(row, await estate.store(row));
    const key = await ring.add(secret);
    log.info({ vault: row.name, key: key.wrapId, kind: key.kind }, 'a key was added');
    const answer = present(scope, row, key, undefined);
    if (secret.kind !== 'passphrase') answer.properties.secret = secret.text;
    return neverKept(reply.code(201)).send(answer);
  });

  app.patch(`${path}/:key`, async (request) => {
    const row = await vaultOf(db, request);
    const { properties } = parseBody(vaultKeyUpdate, request);
    const ring = keysOf(row, await estate.store(row));
    const key = await ring.rename(param(request, 'key').toLowerCase(), properties.label);
    return present(scope, row, key, await serviceKey(scope, row, ring));
  });

  app.delete(`${path}/:key`, async (request, reply) => {
    const row = await vaultOf(db, request);
    const wrapId = param(request, 'key').toLowerCase();
    const ring = keysOf(row, await estate.store(row));
    if ((await serviceKey(scope, row, ring)) === wrapId)
      throw new HoldfastError(
        'ResourceInUse',
        `The service opens vault '${row.name}' with this key: without it the vault would be locked when the service starts again.`,
        {
          target: wrapId,
          action: `To have another made in its place, move ${scope.vaultKeys.pathOf(row.vault_id)} away, run "holdfast vault key unlock", and then remove this one.`,
        },
      );
    await ring.remove(wrapId);
    log.info({ vault: row.name, key: wrapId }, 'a key was removed');
    return reply.code(204).send();
  });

  app.post(`${vaultPath}/providers/Holdfast.Fleet/unlock`, async (request) => {
    const row = await vaultOf(db, request);
    const { kind, secret: text } = parseBody(vaultUnlockRequest, request);
    const secret = { kind: secretKindOf[kind], text };
    requireEncryption(row);
    const store = await estate.storeOpenedBy(row, () => scope.openStore(row, secret));
    const ring = keysOf(row, store);
    // It may have been open already, and then nobody has looked at the secret.
    if ((await ring.whose(secret)) === undefined)
      throw new HoldfastError('StoreKeyWrong', `What was given does not open vault '${row.name}'.`, {
        target: row.name,
      });
    const known = await serviceKey(scope, row, ring);
    if (known !== undefined) {
      const { keys } = await ring.list();
      const key = keys.find(({ wrapId }) => wrapId === known);
      if (key !== undefined) return present(scope, row, key, known);
    }
    // Durable before the store counts on it; dying between the two only means that the vault is to be unlocked again.
    const made = await scope.vaultKeys.make(row.vault_id);
    const key = await ring.add({ ...made, label: serviceKeyLabel });
    log.info({ vault: row.name, key: key.wrapId }, 'the vault was unlocked, and has a new key file');
    return present(scope, row, key, key.wrapId);
  });
};

function requireEncryption(row: VaultRow): void {
  if (row.encrypted === 0)
    throw new HoldfastError('InvalidInput', `Vault '${row.name}' is not encrypted: it has no keys.`, {
      target: row.name,
    });
}

function keysOf(row: VaultRow, store: Store): KeyRing {
  requireEncryption(row);
  if (store.keys === undefined) throw new Error(`the store of vault ${row.name} is open without a key`);
  return store.keys;
}

/** Which of the keys is that of the service's key file; undefined when none is, or the file cannot be used. */
async function serviceKey(scope: ApiScope, row: VaultRow, ring: KeyRing): Promise<string | undefined> {
  let secret: StoreSecret | undefined;
  try {
    secret = await scope.vaultKeys.find(row.vault_id);
    return secret && (await ring.whose(secret))?.wrapId;
  } catch (error) {
    scope.workshop.log.warn({ vault: row.name, err: error }, 'the key file of a vault cannot be used');
    return undefined;
  }
}

function present(
  scope: ApiScope,
  row: VaultRow,
  { wrapId, kind, label, createdAt }: KeyWrapInfo,
  serviceKeyId: string | undefined,
): VaultKey {
  return {
    id: scope.ids.vaultKey(row, wrapId),
    name: wrapId,
    type: 'Holdfast.Fleet/keys',
    properties: { kind: kindOf[kind], label, createdAt, usedByService: wrapId === serviceKeyId },
  };
}

/** @throws InvalidInput @throws KeyNotUsable */
function newSecretOf({ kind, label, passphrase }: VaultKeyRequest['properties']): NewSecret {
  const isPassphrase = kind === 'Passphrase';
  if (isPassphrase !== (passphrase !== undefined))
    throw new HoldfastError(
      'InvalidInput',
      isPassphrase ? 'The passphrase is missing.' : 'Only a key of the kind Passphrase has a passphrase.',
    );
  const text = passphrase ?? (kind === 'KeyFile' ? newKeyFile() : newRecoveryKey());
  const secret = { kind: secretKindOf[kind], text, label: label ?? defaultLabels[kind] };
  checkNewSecret(secret);
  return secret;
}

function neverKept(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store');
}
