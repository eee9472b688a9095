import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
} from '@fluentui/react-components';
import { type FormEvent, type ReactElement, type ReactNode, useState } from 'react';
import { Problem } from './problem.tsx';

interface AskDialogProps {
  /** What opens it: a button. */
  trigger: ReactElement;
  title: string;
  /** What the button says that does it. */
  confirm: string;
  /** False until everything that is needed has been given. */
  isReady?: boolean;
  /** Does it; where it throws the dialog stays, with what was given. */
  onConfirm(): Promise<void>;
  children: ReactNode;
}

/** Asks for what an action needs, or whether it is meant; closes once the service has taken it. */
export function AskDialog({ trigger, title, confirm, isReady = true, onConfirm, children }: AskDialogProps) {
  const [isOpen, setIsOpen] = useState(false);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      setIsOpen(false);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={isOpen}
      onOpenChange={(_event, { open }) => {
        setIsOpen(open);
        setError(undefined);
      }}
    >
      <DialogTrigger disableButtonEnhancement>{trigger}</DialogTrigger>
      <DialogSurface>
        <form onSubmit={(event) => void submit(event)}>
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent>
              {error !== undefined && <Problem error={error} />}
              {children}
            </DialogContent>
            <DialogActions>
              <Button type="submit" appearance="primary" disabled={!isReady || busy}>
                {confirm}
              </Button>
              <DialogTrigger disableButtonEnhancement>
                <Button disabled={busy}>Cancel</Button>
              </DialogTrigger>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
