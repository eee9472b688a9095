import type { Host } from '../../../../src/api/client/browser.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { Page } from '../../parts/page.tsx';
import { StateStatus } from '../../parts/status.tsx';

const columns: Column<Host>[] = [
  { key: 'name', title: 'Name', render: (host) => host.name },
  { key: 'status', title: 'Status', render: (host) => <StateStatus state={host.properties.status} /> },
  { key: 'uri', title: 'Connection', grow: 2, render: (host) => <code>{host.properties.uri}</code> },
  { key: 'region', title: 'Region', render: (host) => host.location },
  { key: 'zone', title: 'Extended zone', render: (host) => host.extendedLocation?.name ?? '' },
  {
    key: 'machines',
    title: 'VMs',
    align: 'end',
    render: (host) => host.properties.virtualMachines?.toLocaleString() ?? '',
  },
  {
    key: 'versions',
    title: 'libvirt and QEMU',
    grow: 1.5,
    render: ({ properties: { libvirtVersion, qemuVersion } }) =>
      libvirtVersion === undefined ? '' : `${libvirtVersion}, ${qemuVersion ?? 'unknown'}`,
  },
  { key: 'message', title: 'Message', grow: 2, render: (host) => host.properties.statusMessage ?? '' },
];

export function HostsPage() {
  const source = useWholeList(keys.hosts, () => client.hosts.list());
  return (
    <Page title="Hosts" fill>
      <DataTable
        id="hosts"
        label="Hosts"
        columns={columns}
        source={source}
        rowKey={(host) => host.id}
        empty={
          <Empty title="No host is connected">
            The service finds the libvirt of its own machine by itself. Add another with{' '}
            <code>holdfast host add NAME --uri URI</code>.
          </Empty>
        }
      />
    </Page>
  );
}
