import { Button, Field, Input, Link, makeStyles, tokens } from '@fluentui/react-components';
import { type FormEvent, useState } from 'react';
import { signIn } from '../api/sign-in.ts';
import { Problem } from '../parts/problem.tsx';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', rowGap: tokens.spacingVerticalM },
});

interface SignInFormProps {
  userName?: string;
  /** There is a page behind, which must not be left: the provider's opens beside it. */
  keepsPage?: boolean;
}

/** Name and password, or the way to the provider that the service trusts. */
export function SignInForm({ userName: known = '', keepsPage = false }: SignInFormProps) {
  const styles = useStyles();
  const [userName, setUserName] = useState(known);
  const [password, setPassword] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(userName.trim(), password);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className={styles.form} onSubmit={(event) => void submit(event)}>
      {error !== undefined && <Problem error={error} />}
      <Field label="User name" required>
        <Input
          name="userName"
          autoComplete="username"
          value={userName}
          onChange={(_event, { value }) => setUserName(value)}
        />
      </Field>
      <Field label="Password" required>
        <Input
          name="password"
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={(_event, { value }) => setPassword(value)}
        />
      </Field>
      <Button appearance="primary" type="submit" disabled={busy || userName.trim() === '' || password === ''}>
        {busy ? 'Signing in' : 'Sign in'}
      </Button>
      <Link href="/holdfast/openid-connect/sign-in" {...(keepsPage && { target: '_blank' })}>
        Sign in with your organisation
      </Link>
    </form>
  );
}
