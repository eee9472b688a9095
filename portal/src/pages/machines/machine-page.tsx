import { MessageBar, MessageBarBody, MessageBarTitle, Spinner, Subtitle1 } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { VirtualMachine } from '../../../../src/api/client/browser.ts';
import { itemOf, itemParams } from '../../api/addresses.ts';
import { client } from '../../api/client.ts';
import { keys } from '../../api/keys.ts';
import { Essentials } from '../../parts/essentials.tsx';
import { formatBytes, spaced } from '../../parts/format.ts';
import { PageLink } from '../../parts/links.tsx';
import { Page } from '../../parts/page.tsx';
import { Problem } from '../../parts/problem.tsx';
import { StateStatus } from '../../parts/status.tsx';
import { Time } from '../../parts/time.tsx';
import { EnableProtection } from './enable-protection.tsx';
import { MachineDisks } from './machine-disks.tsx';

const route = getRouteApi('/machines/$group/$vm');

/** One VM: what it is, how it is protected, and why it can't be where it can't. */
export function MachinePage() {
  const { group, vm } = route.useParams();
  const found = useQuery({
    queryKey: keys.machine(group, vm),
    queryFn: () => client.virtualMachines.get(group, vm),
  });
  return (
    <Page title={vm} kind="Virtual machine" crumbs={[{ text: 'Virtual machines', to: '/machines' }]}>
      {found.error !== null && (
        <Problem error={found.error} title="The VM could not be read" onRetry={() => void found.refetch()} />
      )}
      {found.isPending && <Spinner label="Asking the host" />}
      {found.data !== undefined && <Body machine={found.data} group={group} />}
    </Page>
  );
}

function Body({ machine, group }: { machine: VirtualMachine; group: string }) {
  const { properties } = machine;
  const { protection, agentReport: agent } = properties;
  return (
    <>
      <Essentials
        entries={[
          ['Protection', <StateStatus key="protection" state={protection.state} />],
          [
            'Backup item',
            protection.itemId && (
              <PageLink
                key="item"
                to="/vaults/$group/$vault/items/$vmGroup/$vm"
                params={itemParams(itemOf(protection.itemId))}
              >
                {itemOf(protection.itemId).vault} / {machine.name}
              </PageLink>
            ),
          ],
          ['Power', <StateStatus key="power" state={properties.powerState} />],
          ['Host', properties.host],
          ['Resource group', group],
          ['Region', machine.location],
          ['Extended zone', machine.extendedLocation?.name],
          ['Memory', formatBytes(properties.memoryBytes)],
          ['Processors', properties.vcpus],
          ['Firmware', properties.firmware === 'efi' ? 'UEFI' : 'BIOS'],
          ['Operating system', agent?.os ?? properties.osType],
          ['Id', <code key="id">{properties.vmId}</code>],
        ]}
      />
      {protection.obstacles?.map(({ code, disk, message, action }) => (
        <MessageBar key={code + disk} intent="warning" layout="multiline">
          <MessageBarBody>
            <MessageBarTitle>
              <code>{code}</code>
            </MessageBarTitle>{' '}
            {message}
            <div>{action}</div>
          </MessageBarBody>
        </MessageBar>
      ))}
      {protection.state === 'NotProtected' && <EnableProtection machine={machine} group={group} />}
      <Subtitle1 as="h2">Guest agent</Subtitle1>
      <Essentials
        entries={[
          ['Status', spaced(agent?.status ?? properties.agent).replaceAll('-', ' ')],
          ['Version', agent?.version],
          ['Can freeze file systems', agent === undefined ? undefined : agent.canFreeze ? 'Yes' : 'No'],
          ['Freeze hooks', agent?.freezeHooks && spaced(agent.freezeHooks).replaceAll('-', ' ')],
          ['Checked', agent && <Time key="checked" at={agent.checkedAt} relative />],
        ]}
      />
      {agent?.problem !== undefined && (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody>
            {agent.problem.message} {agent.problem.action}
          </MessageBarBody>
        </MessageBar>
      )}
      <Subtitle1 as="h2">Disks</Subtitle1>
      <MachineDisks disks={properties.disks} />
    </>
  );
}
