import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { VaultRow } from '../catalog/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../errors/index.ts';
import { ensurePrivateDirectory, syncDirectory, unlinkDurable, writeFileDurable } from '../platform/index.ts';
import { newKeyFile, type Store, type StoreSecret } from '../store/index.ts';
import type { Clock } from './clock.ts';

/** What people see in a list of keys. */
export const serviceKeyLabel = 'service';

/**
 * The key files with which the service opens the stores of its vaults by itself, one per vault, in a directory of its
 * home. A key file is never overwritten or deleted but by whoever has just made it: it may be all that opens a store.
 */
export class VaultKeys {
  readonly #directory: string;
  readonly #clock: Clock;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  pathOf(vaultId: string): string {
    return join(this.#directory, `${vaultId}.key`);
  }

  /** Makes a new key file, durable before it is returned. One that is there is put aside under a name with the time. */
  async make(vaultId: string): Promise<StoreSecret> {
    const path = this.pathOf(vaultId);
    const text = newKeyFile();
    await ensurePrivateDirectory(this.#directory);
    try {
      await rename(path, `${path}.${this.#clock.now().epochMilliseconds}`);
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    await writeFileDurable(path, text, { mode: 0o600 });
    // What is in a directory that was made just now survives only with the directory.
    await syncDirectory(join(this.#directory, '..'));
    return { kind: 'key-file', text };
  }

  /** Undefined when it is not there. */
  async find(vaultId: string): Promise<StoreSecret | undefined> {
    try {
      return { kind: 'key-file', text: await readFile(this.pathOf(vaultId), 'utf8') };
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  /** For a vault that could not be made; nothing is encrypted with it yet. */
  async discard(vaultId: string): Promise<void> {
    await unlinkDurable(this.pathOf(vaultId));
  }

  /**
   * Opens the store of a vault; `open` gets the secrets it needs.
   * @throws VaultLocked when the key file is missing, unreadable or another one, and what `open` throws
   */
  async open(
    vault: Pick<VaultRow, 'vault_id' | 'name' | 'encrypted'>,
    open: (unlock: { unlock?: readonly StoreSecret[] }) => Promise<Store>,
  ): Promise<Store> {
    if (vault.encrypted === 0) return await open({});
    const path = this.pathOf(vault.vault_id);
    const locked = (why: string, cause?: unknown) =>
      new HoldfastError('VaultLocked', `Vault '${vault.name}' is locked: ${why}.`, {
        target: vault.name,
        action: `Put the key file back at ${path} if there is a copy of it, or unlock the vault with its recovery key or a passphrase: holdfast vault key unlock.`,
        cause,
      });
    let secret: StoreSecret | undefined;
    try {
      secret = await this.find(vault.vault_id);
    } catch (error) {
      throw locked(`its key file ${path} cannot be read (${messageOf(error)})`, error);
    }
    if (secret === undefined) throw locked(`its key file ${path} is missing`);
    try {
      return await open({ unlock: [secret] });
    } catch (error) {
      if (isHoldfastError(error, 'KeyNotUsable'))
        throw locked(`the file ${path} is not a key file any more`, error);
      if (isHoldfastError(error, 'StoreKeyWrong'))
        throw locked(`the key file ${path} does not open its store`, error);
      throw error;
    }
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
