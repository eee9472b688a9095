import { Dialog, DialogBody, DialogContent, DialogSurface, DialogTitle } from '@fluentui/react-components';
import { useEffect } from 'react';
import { signedInElsewhere } from '../api/sign-in.ts';
import { SignInForm } from './sign-in-form.tsx';

/** Lies over the page, which stays as it is; what it was asking for goes on once somebody has signed in. */
export function SessionEnded({ userName }: { userName: string }) {
  useEffect(() => {
    // Whoever signs in at the provider, or in another tab, comes back to this one.
    const look = () => void signedInElsewhere();
    window.addEventListener('focus', look);
    return () => window.removeEventListener('focus', look);
  }, []);
  return (
    <Dialog open modalType="alert">
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Your session has ended</DialogTitle>
          <DialogContent>
            <p>Sign in again to go on where you were. Nothing on the page is lost.</p>
            <SignInForm userName={userName} keepsPage />
          </DialogContent>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
