import type { VirtualMachine } from '../../../../src/api/client/browser.ts';
import { formatBytes } from '../../parts/format.ts';
import { PlainTable } from '../../parts/plain-table.tsx';

export function MachineDisks({ disks }: { disks: VirtualMachine['properties']['disks'] }) {
  return (
    <PlainTable label="Disks" columns={['Disk', 'Size', 'Format', 'Bus', 'Layers', 'Image']}>
      {disks.map((disk) => (
        <tr key={disk.target}>
          <td>{disk.target}</td>
          <td>{disk.sizeBytes === undefined ? 'Unknown' : formatBytes(disk.sizeBytes)}</td>
          <td>{disk.format ?? 'Unknown'}</td>
          <td>{disk.bus}</td>
          <td>{disk.layers}</td>
          <td>
            <code>{disk.path ?? disk.type}</code>
          </td>
        </tr>
      ))}
    </PlainTable>
  );
}
