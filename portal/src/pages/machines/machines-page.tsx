import { getRouteApi } from '@tanstack/react-router';
import type { VirtualMachine } from '../../../../src/api/client/browser.ts';
import { groupOf } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { useWholeList } from '../../api/whole-list.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Empty } from '../../parts/empty.tsx';
import { ChoiceFilter, TextFilter } from '../../parts/filters.tsx';
import { formatBytes, spaced } from '../../parts/format.ts';
import { PageButton, PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { StateStatus } from '../../parts/status.tsx';
import { protectionStates } from './machine-search.ts';

const route = getRouteApi('/machines');

const sizeOf = ({ properties }: VirtualMachine) =>
  properties.disks.reduce((sum, disk) => sum + (disk.sizeBytes ?? 0), 0);

const columns: Column<VirtualMachine>[] = [
  {
    key: 'name',
    title: 'Name',
    grow: 2,
    render: (machine) => (
      <PageLink
        to="/machines/$group/$vm"
        params={{ group: groupOf(machine.id), vm: machine.name }}
        title={machine.name}
      >
        {machine.name}
      </PageLink>
    ),
  },
  {
    key: 'protection',
    title: 'Protection',
    grow: 1.4,
    render: (machine) => <StateStatus state={machine.properties.protection.state} />,
  },
  {
    key: 'power',
    title: 'Power',
    render: (machine) => <StateStatus state={machine.properties.powerState} />,
  },
  { key: 'host', title: 'Host', render: (machine) => machine.properties.host },
  { key: 'region', title: 'Region', render: (machine) => machine.location },
  {
    key: 'zone',
    title: 'Extended zone',
    hidden: true,
    render: (machine) => machine.extendedLocation?.name ?? '',
  },
  { key: 'group', title: 'Resource group', hidden: true, render: (machine) => groupOf(machine.id) },
  { key: 'agent', title: 'Guest agent', render: (machine) => spaced(machine.properties.agent) },
  {
    key: 'disks',
    title: 'Disks',
    align: 'end',
    render: (machine) => `${machine.properties.disks.length} · ${formatBytes(sizeOf(machine))}`,
  },
];

/** Every VM of the estate, protected or not. */
export function MachinesPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (next: typeof search) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const part = search.name?.toLowerCase() ?? '';
  const source = useWholeList(
    keys.machines,
    () => client.virtualMachines.list(),
    ({ name, properties: { protection } }) =>
      name.toLowerCase().includes(part) && (search.state === undefined || protection.state === search.state),
  );
  const isFiltered = search.name !== undefined || search.state !== undefined;
  return (
    <Page title="Virtual machines" fill>
      <DataTable
        id="machines"
        label="Virtual machines"
        columns={columns}
        source={source}
        rowKey={(machine) => machine.id}
        filters={
          <>
            <TextFilter label="Name" value={search.name} onChange={(name) => change({ name })} />
            <ChoiceFilter
              label="Protection"
              value={search.state}
              choices={protectionStates.map((state) => [state, spaced(state)] as const)}
              onChange={(state) => change({ state })}
            />
          </>
        }
        empty={
          isFiltered ? (
            <Empty title="No VM matches the filters" />
          ) : (
            <Empty title="No VM was found" action={<PageButton to="/hosts">Look at the hosts</PageButton>}>
              VMs appear here as soon as a connected host has some.
            </Empty>
          )
        }
      />
    </Page>
  );
}
