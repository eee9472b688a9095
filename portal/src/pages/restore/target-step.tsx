import {
  Button,
  Checkbox,
  Field,
  Input,
  MessageBar,
  MessageBarBody,
  makeStyles,
  Radio,
  RadioGroup,
  Select,
  tokens,
} from '@fluentui/react-components';
import { type FormEvent, useState } from 'react';
import type { RecoveryPoint } from '../../../../src/api/client/browser.ts';
import { formatBytes } from '../../parts/format.ts';
import { isIn } from '../items/point-words.ts';
import { missingIn, type RestoreForm, type RestoreKind, restoreKinds } from './restore-form.ts';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalL, maxWidth: '36rem' },
  options: { display: 'flex', flexDirection: 'column' },
  legend: { padding: 0 },
  missing: { color: tokens.colorStatusDangerForeground1, fontSize: tokens.fontSizeBase200 },
  disks: { display: 'flex', flexDirection: 'column', border: 'none', margin: 0, padding: 0 },
  buttons: { display: 'flex', columnGap: tokens.spacingHorizontalS },
});

interface TargetStepProps {
  vm: string;
  point: RecoveryPoint;
  form: RestoreForm;
  onChange(change: Partial<RestoreForm>): void;
  onBack(): void;
  onNext(): void;
}

/** Where to, and how. What is missing is said once somebody wants to go on. */
export function TargetStep({ vm, point, form, onChange, onBack, onNext }: TargetStepProps) {
  const styles = useStyles();
  const [hasTried, setHasTried] = useState(false);
  const missing = missingIn(form, point, vm);
  const shown = hasTried ? missing : {};
  const { kind } = form;
  const isNew = kind !== 'original';
  const runsLive = kind === 'machine' && form.live;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setHasTried(true);
    if (Object.keys(missing).length === 0) onNext();
  };
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      <Field label="Restore configuration">
        <RadioGroup
          value={kind}
          onChange={(_event, { value }) => onChange({ kind: value as RestoreKind, confirm: '' })}
        >
          {restoreKinds.map(([value, text, explained]) => (
            <Radio
              key={value}
              value={value}
              label={
                <>
                  {text}
                  <div>{explained}</div>
                </>
              }
            />
          ))}
        </RadioGroup>
      </Field>
      {kind === 'machine' && (
        <Field label="Virtual machine name" required validationMessage={shown.name}>
          <Input
            value={form.name}
            autoComplete="off"
            onChange={(_event, { value }) => onChange({ name: value })}
          />
        </Field>
      )}
      {isNew && (
        <Field
          label="Directory"
          required
          hint="On the host of the VM; it is made if it is missing. Nothing that is there is overwritten."
          validationMessage={shown.directory}
        >
          <Input
            value={form.directory}
            autoComplete="off"
            placeholder="/var/lib/libvirt/images/restored"
            onChange={(_event, { value }) => onChange({ directory: value })}
          />
        </Field>
      )}
      {kind !== 'machine' && (
        // No Field: that gives what is in it one id, and each label would mean the first disk.
        <fieldset className={styles.disks}>
          <legend className={styles.legend}>Disks</legend>
          {point.properties.holdfast.disks.map(({ target, sizeBytes }) => (
            <Checkbox
              key={target}
              label={`${target} (${formatBytes(sizeBytes)})`}
              checked={!form.leftOut.includes(target)}
              onChange={(_event, { checked }) => {
                const others = form.leftOut.filter((other) => other !== target);
                onChange({ leftOut: checked === true ? others : [...others, target] });
              }}
            />
          ))}
          {shown.disks !== undefined && (
            <span role="alert" className={styles.missing}>
              {shown.disks}
            </span>
          )}
        </fieldset>
      )}
      {!runsLive && (
        <Field label="Restore from">
          <Select
            value={form.tier}
            onChange={(_event, { value }) => onChange({ tier: value as RestoreForm['tier'] })}
          >
            <option value="">The snapshot while it is there, else the vault</option>
            <option value="snapshot" disabled={!isIn(point, 'InstantRP')}>
              Snapshot
            </option>
            <option value="vault" disabled={!isIn(point, 'HardenedRP')}>
              Vault-Standard
            </option>
          </Select>
        </Field>
      )}
      {isNew && !runsLive && (
        <Field label="Format of the images">
          <Select
            value={form.diskFormat}
            onChange={(_event, { value }) => onChange({ diskFormat: value as RestoreForm['diskFormat'] })}
          >
            <option value="">As on the source</option>
            <option value="qcow2">qcow2</option>
            <option value="raw">raw</option>
          </Select>
        </Field>
      )}
      <div className={styles.options}>
        {kind === 'machine' && (
          <>
            <Checkbox
              label="Live restore: run it from the vault at once, and copy its disks meanwhile"
              checked={form.live}
              disabled={!form.live && !isIn(point, 'HardenedRP')}
              onChange={(_event, { checked }) => onChange({ live: checked === true })}
            />
            <Checkbox
              label="Connect its network (otherwise its links are down)"
              checked={form.connectNetwork}
              onChange={(_event, { checked }) => onChange({ connectNetwork: checked === true })}
            />
          </>
        )}
        {kind !== 'disks' && (
          <Checkbox
            label="Start it afterwards"
            checked={form.start || runsLive}
            disabled={runsLive}
            onChange={(_event, { checked }) => onChange({ start: checked === true })}
          />
        )}
        {isNew && !runsLive && (point.properties.holdfast.damaged === true || form.allowDamaged) && (
          <Checkbox
            label="Restore what can be read of the damaged point; the rest becomes zeros and is listed"
            checked={form.allowDamaged}
            onChange={(_event, { checked }) => onChange({ allowDamaged: checked === true })}
          />
        )}
      </div>
      {kind === 'original' && (
        <>
          <MessageBar intent="warning" layout="multiline">
            <MessageBarBody>
              The chosen disks of {vm} become what they were at the time of the point.
            </MessageBarBody>
          </MessageBar>
          <Field
            label={`Type the name of the VM, ${vm}, to confirm`}
            required
            validationMessage={shown.confirm}
          >
            <Input
              value={form.confirm}
              autoComplete="off"
              onChange={(_event, { value }) => onChange({ confirm: value })}
            />
          </Field>
        </>
      )}
      <div className={styles.buttons}>
        <Button onClick={onBack}>Back</Button>
        <Button type="submit" appearance="primary">
          Next: Review + restore
        </Button>
      </div>
    </form>
  );
}
