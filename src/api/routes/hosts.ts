import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Database,
  deleteHost,
  findHost,
  type HostRow,
  listHosts,
  listItems,
  listOpenJobs,
  saveHost,
} from '../../catalog/index.ts';
import { HoldfastError } from '../../errors/index.ts';
import { refusePlace, sameConnection, type Workshop } from '../../jobs/index.ts';
import { hostNameProblem, resourceGroupNameProblem, zoneNameProblem } from '../../protection/index.ts';
import { type Host, hostRequest } from '../client/index.ts';
import {
  type ApiScope,
  groupPath,
  param,
  parseBody,
  type RegisterRoutes,
  subscriptionPath,
} from '../scope.ts';

export function presentZone({ zone }: HostRow): Pick<Host, 'extendedLocation'> {
  return zone === null ? {} : { extendedLocation: { name: zone, type: 'EdgeZone' } };
}

async function present(scope: ApiScope, row: HostRow): Promise<Host> {
  const status = await scope.workshop.estate.hostStatus(row);
  return {
    id: scope.ids.host(row),
    name: row.name,
    type: 'Holdfast.Fleet/hosts',
    location: row.location,
    ...presentZone(row),
    properties: {
      uri: row.uri,
      ...(row.overlay_directory === null ? {} : { overlayDirectory: row.overlay_directory }),
      ...(status.connected
        ? {
            status: 'Connected',
            hostname: status.facts.hostname,
            libvirtVersion: status.facts.libvirtVersion,
            qemuVersion: status.facts.qemuVersion,
            architecture: status.facts.architecture,
            virtualMachines: status.machines,
          }
        : { status: 'Unreachable', statusMessage: status.message }),
    },
  };
}

/** Two spellings of libvirt's local transport, or of the path of its socket, are one connection. */
const sameUri = (a: string, b: string) => connectionOf(a) === connectionOf(b);

function connectionOf(uri: string): string {
  const local = uri.replace(/^qemu\+unix:/i, 'qemu:');
  const [start = '', socket] = local.split(/(?<=[?&]socket=)/, 2);
  if (socket === undefined) return local;
  const [path = '', ...rest] = socket.split('&');
  return [`${start}${realPathOf(path)}`, ...rest].join('&');
}

/** Without links and detours; where nothing is there, without the latter. */
function realPathOf(escaped: string): string {
  let path = escaped;
  try {
    path = decodeURIComponent(escaped);
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/**
 * Two hosts with one connection would find each VM twice, and keep two ledgers of its layers.
 * @throws ResourceAlreadyExists
 */
async function refuseSecondConnection(db: Database, row: HostRow): Promise<void> {
  const other = (await listHosts(db)).find(
    (candidate) => candidate.name !== row.name && sameUri(candidate.uri, row.uri),
  );
  if (other === undefined) return;
  throw new HoldfastError(
    'ResourceAlreadyExists',
    `${row.uri} is connected already, as host '${other.name}'.`,
    {
      target: other.name,
      action: `Use host '${other.name}', or remove it first.`,
    },
  );
}

/**
 * Writes down a host whose connection is new or another. What works on the old connection would be cut off, so the
 * change is refused while a job or the maintenance of one of its VMs runs; the check and the change are one transaction,
 * so that a job started meanwhile finds the new connection.
 * @throws ResourceInUse, ResourceAlreadyExists
 */
async function saveConnection({ db, phases, estate }: Workshop, row: HostRow): Promise<void> {
  const inUse = (vm: string) =>
    new HoldfastError('ResourceInUse', `Host '${row.name}' can't be changed while it works on VM '${vm}'.`, {
      target: row.name,
      action: 'Wait until the jobs of its VMs have ended and their layers are merged, then try again.',
    });
  const items = (await listItems(db)).filter((item) => item.host_name === row.name);
  await using held = new AsyncDisposableStack();
  for (const item of items) {
    const maintenance = await phases.tryEnter('maintenance', item.item_id);
    if (maintenance === undefined) throw inUse(item.vm_name);
    held.use(maintenance);
  }
  await db.transaction().execute(async (tx) => {
    await refuseSecondConnection(tx, row);
    const itemIds = new Set(
      (await listItems(tx)).filter((item) => item.host_name === row.name).map((item) => item.item_id),
    );
    const open = (await listOpenJobs(tx)).find((job) => job.item_id !== null && itemIds.has(job.item_id));
    if (open !== undefined) throw inUse(open.entity_name);
    await refusePlace(tx, row);
    await saveHost(tx, row);
  });
  await estate.closeHost(row.name);
}

export const registerHosts: RegisterRoutes = (app, scope) => {
  const { db, estate, clock } = scope.workshop;
  const path = `${groupPath}/providers/Holdfast.Fleet/hosts`;

  const existing = async (request: Parameters<typeof param>[0]) => {
    const name = param(request, 'host');
    const row = await findHost(db, name);
    if (row === undefined || row.resource_group.toLowerCase() !== param(request, 'group').toLowerCase())
      throw new HoldfastError('ResourceNotFound', `There is no host named '${name}'.`, { target: name });
    return row;
  };

  app.get(`${subscriptionPath}/providers/Holdfast.Fleet/hosts`, async () => ({
    value: await Promise.all((await listHosts(db)).map((row) => present(scope, row))),
  }));

  app.get(`${path}/:host`, async (request) => present(scope, await existing(request)));

  app.put(`${path}/:host`, async (request, reply) => {
    const body = parseBody(hostRequest, request);
    const name = param(request, 'host');
    const group = param(request, 'group');
    const zone = body.extendedLocation?.name ?? null;
    const problem =
      hostNameProblem(name) ??
      resourceGroupNameProblem(group) ??
      (zone === null ? undefined : zoneNameProblem(zone));
    if (problem !== undefined) throw new HoldfastError('InvalidInput', problem, { target: name });
    const known = await findHost(db, name);
    if (known !== undefined && known.resource_group.toLowerCase() !== group.toLowerCase()) {
      throw new HoldfastError(
        'ResourceAlreadyExists',
        `Host '${known.name}' exists already, in resource group '${known.resource_group}'.`,
        { target: name },
      );
    }
    const row: HostRow = {
      resource_group: known?.resource_group ?? group,
      name: known?.name ?? name,
      location: body.location,
      zone,
      uri: body.properties.uri,
      overlay_directory: body.properties.overlayDirectory ?? null,
      created_at: known?.created_at ?? clock.now().toString({ fractionalSecondDigits: 3 }),
    };
    if (known === undefined || !sameConnection(known, row)) {
      await refuseSecondConnection(db, row);
      await refusePlace(db, row);
      // An address that does not answer is refused now rather than found out at the first backup.
      await estate.tryHost(row);
      await saveConnection(scope.workshop, row);
    } else if (known.location !== row.location || known.zone !== row.zone) {
      await db.transaction().execute(async (tx) => {
        await refusePlace(tx, row);
        await saveHost(tx, row);
      });
    }
    reply.code(known === undefined ? 201 : 200);
    return present(scope, row);
  });

  app.delete(`${path}/:host`, async (request, reply) => {
    const row = await existing(request);
    const items = (await listItems(db)).filter((item) => item.host_name === row.name);
    const [first] = items;
    if (first !== undefined) {
      throw new HoldfastError(
        'ResourceInUse',
        `Host '${row.name}' has ${items.length} VM(s) with recovery points, '${first.vm_name}' among them.`,
        { target: row.name, action: 'A host can be removed once no vault holds points of its VMs.' },
      );
    }
    await deleteHost(db, row.name);
    await estate.closeHost(row.name);
    return reply.code(204).send();
  });
};
